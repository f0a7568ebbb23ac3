"""What integration does to a cell type that only one batch has: ``python -m benchmarks.missing``.

Of each real set with batches one of its three most frequent types is left in the first batch only; or ("both") the most
frequent one there and the second most frequent one in the other batches only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import _options
from benchmarks._neighborhoods import FEWEST, neighborhoods
from benchmarks._resumable import keep, measure_missing
from benchmarks.missing import table
from benchmarks.quality import sets
from benchmarks.quality.methods import METHODS

if TYPE_CHECKING:
    from anndata import AnnData

RESULTS = Path(__file__).with_name("results.csv")
SHOWN = ("PCA", "Harmony", "Concord", "clear", "scclr")
CASES = ("most frequent", "second", "third", "both")


class Job(NamedTuple):
    """One embedding to make and score."""

    set: str
    case: str
    method: str
    seed: int


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=SHOWN, choices=METHODS)
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    args = _options.read(parser, results=RESULTS, seeds=3)
    jobs = [
        Job(name, case, method, seed)
        for seed in range(args.seeds)
        for name in args.sets or sets.names()
        if without(sets.load(name), CASES[0]) is not None
        for case in args.cases
        for method in args.methods
    ]
    results = measure_missing(
        jobs, lambda job: measure(job, args.embeddings), args.results, key=Job._fields, again=args.again
    )
    table.write(results)


def without(adata: AnnData, case: str) -> AnnData | None:
    """Take types from batches; None where no two types are in two batches each."""
    if "batch" not in adata.obs:
        return None
    counts = adata.obs.groupby(["cell_type", "batch"], observed=True).size().unstack(fill_value=0)
    shared = counts[(counts >= FEWEST).sum(axis=1) > 1].sum(axis=1).sort_values(ascending=False, kind="stable").index
    if len(shared) < len(CASES) - 1:
        return None
    types, first = adata.obs["cell_type"], adata.obs["batch"] == adata.obs["batch"].astype(str).min()
    only_first = shared[0 if case == "both" else CASES.index(case)]
    gone = (types == only_first) & ~first
    if case == "both":
        gone |= (types == shared[1]) & first
    return adata[~gone.to_numpy()].copy()


def measure(job: Job, embeddings: Path | None) -> dict[str, float] | None:
    """The scores of one job; None where the method is not installed."""
    adata = without(sets.load(job.set), job.case)
    types, batches = (adata.obs[key].to_numpy().astype(str) for key in ("cell_type", "batch"))
    file = embeddings / f"{job.set}-{job.case}-{job.method}-{job.seed}.npz" if embeddings else None
    batch_key = "batch" if job.method != "PCA" else None
    try:
        rep, seconds = keep(lambda: METHODS[job.method](adata, job.seed, batch_key), file)
    except ModuleNotFoundError as error:
        print(f"{job.method} left out: {error}")
        return None
    return {**neighborhoods(rep, types, batches), "seconds": seconds}


if __name__ == "__main__":
    main()
