"""Every experiment of both papers: ``python -m benchmarks.papers [--only NAME ...] [--jobs 2] [--quick]``.

A row per run is added to the table of its experiment in benchmarks/papers/results; what is there is not run again.
Tables and figures of the page are written at the end (also by ``python -m benchmarks.papers.report``). `--quick` runs
a little of everything on a tiny simulated set, in a folder that is then removed.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks._resumable import measure_missing
from benchmarks.papers import report
from benchmarks.papers._run import TINY, measure, prepare
from benchmarks.papers.data import write_tiny
from benchmarks.papers.experiments import EXPERIMENTS


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing, then write tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(EXPERIMENTS), choices=EXPERIMENTS, metavar="NAME")
    parser.add_argument("--data", nargs="+", help="only these data sets")
    parser.add_argument("--methods", nargs="+", help="only these methods")
    parser.add_argument("--seeds", type=int, help="only so many seeds")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--quick", action="store_true", help="a little of everything, nothing is kept")
    parser.add_argument("--again", action="store_true", help="run anew what has a row already")
    parser.add_argument("--folder", type=Path, help="keep the results of the quick run here")
    parser.add_argument("--results-only", action="store_true", help="write no tables and figures")
    parser.add_argument("--list", action="store_true", help="print the experiments and how much of them is done")
    args = parser.parse_args(arguments)

    if args.list:
        show_list()
        return
    work = None
    if args.quick:
        work = args.folder or Path(tempfile.mkdtemp())
        work.mkdir(parents=True, exist_ok=True)
        write_tiny(work / f"{TINY}.h5ad")
    try:
        run(args, work)
        if not args.results_only:
            places = {"docs": work / "docs", "results": work} if work else {}
            report.write([EXPERIMENTS[name] for name in args.only], **places)
    finally:
        if work and not args.folder:
            shutil.rmtree(work)


def run(args: argparse.Namespace, work: Path | None) -> None:
    """Run the experiments; `work` is the folder of a quick run."""
    prepare(work)
    # New interpreters: PyTorch's and numba's threads do not survive a fork.
    fresh = partial(ProcessPoolExecutor, args.jobs, get_context("spawn"), initializer=prepare, initargs=(work,))
    with fresh() if args.jobs > 1 else nullcontext() as pool:
        for name in args.only:
            experiment = EXPERIMENTS[name]
            jobs = experiment.quick_jobs(TINY) if work else experiment.jobs()
            path = work / f"{name}.csv" if work else experiment.path()
            path.parent.mkdir(exist_ok=True)
            jobs = [job for job in jobs if _wanted(job, args)]
            rows = measure_missing(
                jobs,
                partial(measure, name),
                path,
                key=experiment.key,
                again=args.again,
                pool=pool,
                label=name,
            )
            if work and len(rows) < len(jobs):
                msg = f"{name}: {len(jobs) - len(rows)} of {len(jobs)} quick runs failed; see above."
                raise SystemExit(msg)


def show_list() -> None:
    """Print name, title and how many runs there are."""
    import pandas as pd

    for name, experiment in EXPERIMENTS.items():
        path = experiment.path()
        rows = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(experiment.key))
        print(f"{name:16} {experiment.title}. {report.measured(experiment, rows)}")


def _wanted(job: object, args: argparse.Namespace) -> bool:
    data = getattr(job, "data", getattr(job, "set", None))
    return (
        (not args.data or data in args.data)
        and (not args.methods or getattr(job, "method", None) in args.methods)
        and (args.seeds is None or getattr(job, "seed", 0) < args.seeds)
    )


if __name__ == "__main__":
    main()
