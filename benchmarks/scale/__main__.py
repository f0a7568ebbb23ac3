"""How time and memory grow with cells and genes: ``python -m benchmarks.scale --folder /somewhere/with/space``.

A million cells with 20 000 genes take 11 GB of that folder. Rows are added to results.csv as they are measured; what
is there already is not measured again. The folder's files are removed at the end, unless --keep is given.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._resumable import measure_missing
from benchmarks.scale import data, tables

HERE = Path(__file__)
FOLDER = Path(tempfile.gettempdir()) / "scclr_scale"
RESULTS = HERE.with_name("results.csv")
CELLS = (1_000, 10_000, 100_000, 1_000_000)
IN_MEMORY = (1_000, 10_000, 100_000, 300_000)
DEFERRED = (1_000_000,)
GENES = (500, 5_000, 50_000, 250_000)
FEW_CELLS, FEW_STEPS = 3_000, 20


class Job(NamedTuple):
    """One row of the results: where the cells are, how many, genes in the data and in the model (0: all).

    In a file, in memory, or "memory, deferred": there, and not normalised before they are read.
    """

    place: str
    method: str
    cells: int
    all_genes: int
    genes: int
    steps: int
    threads: int


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="a new one")
    parser.add_argument("--cells", nargs="*", type=int, default=CELLS, help="cells in a file")
    parser.add_argument("--in-memory", nargs="*", type=int, default=IN_MEMORY, help="cells in memory")
    parser.add_argument("--deferred", nargs="*", type=int, default=DEFERRED, help="cells in memory, left as counts")
    parser.add_argument("--genes", nargs="*", type=int, default=GENES, help="genes, all of them in the model")
    parser.add_argument("--method", default="clear")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--simulated", type=int, default=50_000, help="of the cells; the others are thinned from these")
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--keep", action="store_true", help="keep the files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()

    args.folder.mkdir(parents=True, exist_ok=True)
    jobs = [Job("file", args.method, n, 20_000, 2_000, 0, args.threads) for n in args.cells]
    jobs += [Job("memory", args.method, n, 20_000, 2_000, 0, args.threads) for n in args.in_memory]
    jobs += [Job("memory, deferred", args.method, n, 20_000, 2_000, 0, args.threads) for n in args.deferred]
    jobs += [Job("memory", "clear", FEW_CELLS, n, 0, FEW_STEPS, args.threads) for n in args.genes]

    run = partial(measure, folder=args.folder, simulated=args.simulated)
    results = measure_missing(jobs, run, args.results, key=Job._fields, again=args.again)
    tables.write(results, HERE.parents[2] / "docs" / "tables")
    if not args.keep:
        shutil.rmtree(args.folder)


def measure(job: Job, folder: Path = FOLDER, simulated: int = 50_000) -> dict[str, Any]:
    """Time one job in a process of its own; its cells are made where the folder does not have them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{job.cells}x{job.all_genes}.h5ad"
    if not path.exists():
        data.make(path, job.cells, job.all_genes, simulated)
    asked = json.dumps({**job._asdict(), "path": str(path)})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale.job", asked], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
