"""Time the parts one asks for, write their tables: ``python -m benchmarks.speed step cores imports whole clusters``."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._markdown import markdown
from benchmarks._resumable import measure_missing
from benchmarks.speed import clusters, imports, step, whole
from benchmarks.speed.whole import WHOLE, Job

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).with_name("whole.csv")
TABLES = Path(__file__).parents[2] / "docs" / "tables"
OURS = ("PCA", "scclr", "clear", "contrastive-sc")
PARTS = ("step", "cores", "imports", "whole", "clusters")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--turns", type=int, default=40, help="turns of each alternative (%(default)s)")
    parser.add_argument("--cells", type=int, nargs="+", default=[3_000, 30_000, 100_000])
    parser.add_argument("--methods", nargs="+", default=OURS)
    parser.add_argument("--epochs", type=int, default=WHOLE, help="for Concord and scVI: no more than these")
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "scclr_ext-speed")
    args = parser.parse_args()
    if "step" in args.parts:
        show("step", step.measure(turns=args.turns), "preset", digits=2)
    if "cores" in args.parts:  # the step again, with all of them
        show("cores", step.measure(turns=args.turns, threads=os.cpu_count() or 1), "preset", digits=2)
    if "imports" in args.parts:
        show("imports", imports.measure(), "what", digits=3)
    if "whole" in args.parts:
        jobs = [Job(method, n, args.epochs) for n in args.cells for method in args.methods]
        results = measure_missing(
            jobs, lambda job: whole.measure(job, args.folder), RESULTS, key=Job._fields, again=args.again
        )
        show("whole", whole.table(results), "method", digits=1)
    if "clusters" in args.parts:
        show("clusters", clusters.measure(args.cells), "step", digits=1)


def show(name: str, table: pd.DataFrame, corner: str, *, digits: int) -> None:
    """Print a table and write it for the docs."""
    text = markdown(table, digits=digits, corner=corner)
    print(text, flush=True)
    (TABLES / f"speed_{name}.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
