"""Embed every real set with every method and score it: ``python -m benchmarks.quality``.

Rows are appended to results.csv as they are measured; what is there already is not measured again.
"""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from benchmarks import _options
from benchmarks._resumable import keep, measure_missing
from benchmarks.quality import sets, tables
from benchmarks.quality.methods import METHODS, NEEDS_BATCH
from benchmarks.quality.scores import score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

RESULTS = Path(__file__).with_name("results.csv")


class Job(NamedTuple):
    """One embedding to make and score."""

    set: str
    method: str
    uses_batch: bool
    seed: int


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    args = _options.read(parser, results=RESULTS, seeds=3)
    tables.write(measure_all(args, args.methods))


def measure_all(args: argparse.Namespace, methods: Sequence[str]) -> pd.DataFrame:
    """Measure what is missing of these methods, told of the batches and not, and return all results."""
    jobs = [
        Job(name, method, uses_batch, seed)
        for name in args.sets or sets.names()
        for method in methods
        for uses_batch in ((True,) if method in NEEDS_BATCH else (False, True) if _takes_batch(method) else (False,))
        for seed in range(args.seeds)
    ]
    return measure_missing(
        jobs, lambda job: measure(job, args.embeddings), args.results, key=Job._fields, again=args.again
    )


def _takes_batch(method: str) -> bool:
    return method in {"Concord", "scVI", "clear", "scclr"}


def measure(job: Job, embeddings: Path | None) -> dict[str, object] | None:
    """The scores of one job; None where the set has no batches to use or the method is not installed."""
    adata = sets.load(job.set)
    if job.uses_batch and "batch" not in adata.obs:
        return None
    obs = adata.obs.copy()
    try:
        rep, seconds = embed(adata, job, embeddings)
    except ModuleNotFoundError as error:
        tqdm.write(f"{job.method} left out: {error}")
        return None
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        tqdm.write(f"{job.method} failed on {job.set}: {error}")
        return None
    return {
        **score(rep, obs, job.seed, "batch" if job.uses_batch else None),
        "seconds": seconds,
        "version": _version(job.method),
    }


def embed(adata: AnnData, job: Job, embeddings: Path | None) -> tuple[np.ndarray, float]:
    """The embedding and the seconds it took."""
    file = embeddings / f"{job.set}-{job.method}-{job.uses_batch}-{job.seed}.npz" if embeddings else None
    return keep(lambda: METHODS[job.method](adata, job.seed, "batch" if job.uses_batch else None), file)


def _version(method: str) -> str:
    package = {"PCA": "scanpy", "Harmony": "harmonypy", "Concord": "concord-sc", "scVI": "scvi-tools"}
    try:
        return version(package.get(method, "scclr_ext"))
    except PackageNotFoundError:
        return "source"


if __name__ == "__main__":
    main()
