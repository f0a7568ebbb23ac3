"""Embed every real set with every method and score it: ``python -m benchmarks.quality``.

Rows are appended to results.csv as they are measured; what is there already is not measured again.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from benchmarks.quality import sets, tables
from benchmarks.quality.methods import METHODS, NEEDS_BATCH
from benchmarks.quality.scores import score

RESULTS = Path(__file__).with_name("results.csv")
KEY = ["set", "method", "uses_batch", "seed"]


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--sets", nargs="+", default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    results = pd.read_csv(args.results) if args.results.exists() else pd.DataFrame(columns=KEY)
    jobs = [
        (name, method, uses_batch, seed)
        for name in args.sets or sets.names()
        for method in args.methods
        for uses_batch in ((True,) if method in NEEDS_BATCH else (False, True) if _takes_batch(method) else (False,))
        for seed in range(args.seeds)
    ]
    done = set() if args.again else set(results[KEY].itertuples(index=False, name=None))
    for job in tqdm([job for job in jobs if job not in done], unit="run"):
        row = measure(*job)
        if row is not None:
            results = results[~(results[KEY] == list(job)).all(axis=1)]
            results = pd.concat([results, pd.DataFrame([row])], ignore_index=True)
            results.sort_values(KEY).to_csv(args.results, index=False, float_format="%.4f")
    tables.write(results)


def _takes_batch(method: str) -> bool:
    return method in {"Concord", "scVI", "clear", "contrastive-sc", "scclr"}


def measure(name: str, method: str, uses_batch: bool, seed: int) -> dict[str, object] | None:
    """One row; None where the set has no batches to use or the method is not installed."""
    adata = sets.load(name)
    if uses_batch and "batch" not in adata.obs:
        return None
    obs = adata.obs.copy()
    start = time.perf_counter()
    try:
        rep = METHODS[method](adata, seed, "batch" if uses_batch else None)
    except ModuleNotFoundError as error:
        tqdm.write(f"{method} left out: {error}")
        return None
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        tqdm.write(f"{method} failed on {name}: {error}")
        return None
    seconds = time.perf_counter() - start
    return {
        "set": name,
        "method": method,
        "uses_batch": uses_batch,
        "seed": seed,
        **score(rep, obs, seed),
        "seconds": seconds,
        "version": _version(method),
    }


def _version(method: str) -> str:
    package = {"PCA": "scanpy", "Harmony": "harmonypy", "Concord": "concord-sc", "scVI": "scvi-tools"}
    try:
        return version(package.get(method, "scclr_ext"))
    except PackageNotFoundError:
        return "source"


if __name__ == "__main__":
    main()
