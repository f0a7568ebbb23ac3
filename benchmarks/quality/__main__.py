"""Embed every real set with every method and score it: ``python -m benchmarks.quality``.

Rows are appended to results.csv as they are measured; what is there already is not measured again.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from benchmarks.quality import sets, tables
from benchmarks.quality.methods import METHODS, NEEDS_BATCH
from benchmarks.quality.scores import score

if TYPE_CHECKING:
    from anndata import AnnData

RESULTS = Path(__file__).with_name("results.csv")


class Job(NamedTuple):
    """One embedding to make and score."""

    set: str
    method: str
    uses_batch: bool
    seed: int


KEY = list(Job._fields)


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--sets", nargs="+", default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--embeddings", type=Path, help="keep embeddings in this folder, and use those found there")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    results = pd.read_csv(args.results) if args.results.exists() else pd.DataFrame(columns=KEY)
    jobs = [
        Job(name, method, uses_batch, seed)
        for name in args.sets or sets.names()
        for method in args.methods
        for uses_batch in ((True,) if method in NEEDS_BATCH else (False, True) if _takes_batch(method) else (False,))
        for seed in range(args.seeds)
    ]
    done = set() if args.again else set(results[KEY].itertuples(index=False, name=None))
    for job in tqdm([job for job in jobs if job not in done], unit="run"):
        row = measure(job, args.embeddings)
        if row is not None:
            results = results[~(results[KEY] == list(job)).all(axis=1)]
            results = pd.concat([results, pd.DataFrame([row])], ignore_index=True)
            results.sort_values(KEY).to_csv(args.results, index=False, float_format="%.4f")
    tables.write(results)


def _takes_batch(method: str) -> bool:
    return method in {"Concord", "scVI", "scclr"}


def measure(job: Job, embeddings: Path | None) -> dict[str, object] | None:
    """One row; None where the set has no batches to use or the method is not installed."""
    adata = sets.load(job.set)
    if job.uses_batch and "batch" not in adata.obs:
        return None
    obs = adata.obs.copy()
    try:
        rep, seconds = _embed(adata, job, embeddings)
    except ModuleNotFoundError as error:
        tqdm.write(f"{job.method} left out: {error}")
        return None
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        tqdm.write(f"{job.method} failed on {job.set}: {error}")
        return None
    return {
        **job._asdict(),
        **score(rep, obs, job.seed, "batch" if job.uses_batch else None),
        "seconds": seconds,
        "version": _version(job.method),
    }


def _embed(adata: AnnData, job: Job, embeddings: Path | None) -> tuple[np.ndarray, float]:
    file = embeddings / f"{job.set}-{job.method}-{job.uses_batch}-{job.seed}.npz" if embeddings else None
    if file and file.exists():
        stored = np.load(file)
        return stored["rep"], float(stored["seconds"])
    start = time.perf_counter()
    rep = METHODS[job.method](adata, job.seed, "batch" if job.uses_batch else None)
    seconds = time.perf_counter() - start
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, rep=rep, seconds=seconds)
    return rep, seconds


def _version(method: str) -> str:
    package = {"PCA": "scanpy", "Harmony": "harmonypy", "Concord": "concord-sc", "scVI": "scvi-tools"}
    try:
        return version(package.get(method, "scclr_ext"))
    except PackageNotFoundError:
        return "source"


if __name__ == "__main__":
    main()
