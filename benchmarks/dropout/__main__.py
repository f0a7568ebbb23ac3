"""How far clusters survive more zeros than were measured: ``python -m benchmarks.dropout``.

Of the non-zero counts of each real set 10, 30, 60 and 80 % are set to zero at random, as in CLEAR's paper.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans

import scclr_ext as clr
from benchmarks import _options
from benchmarks._resumable import keep, measure_missing
from benchmarks.dropout import results as shown
from benchmarks.quality import sets
from benchmarks.quality.methods import METHODS
from scclr_ext import metrics

RESULTS = Path(__file__).with_name("results.csv")
RATES = (0.0, 0.1, 0.3, 0.6, 0.8)
SHOWN = ("PCA", "clear", "scclr")
_STARTS = 3


class Job(NamedTuple):
    """One embedding to make and score."""

    set: str
    method: str
    rate: float
    seed: int


def main() -> None:
    """Measure what is missing, then write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=SHOWN, choices=METHODS)
    parser.add_argument("--most-cells", type=int, default=5000, help="leave out larger sets")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    args = _options.read(parser, results=RESULTS, seeds=3)

    names = [name for name in args.sets or sets.names() if sets.load(name).n_obs <= args.most_cells]
    jobs = [
        Job(name, method, rate, seed)
        for seed in range(args.seeds)
        for name in names
        for rate in args.rates
        for method in args.methods
    ]
    results = measure_missing(
        jobs, lambda job: measure(job, args.embeddings), args.results, key=Job._fields, again=args.again
    )
    shown.write(results)


def measure(job: Job, embeddings: Path | None) -> dict[str, float]:
    """The scores of one job."""
    adata = sets.load(job.set)
    types = adata.obs["cell_type"].to_numpy().astype(str)
    clr.pp.simulate_dropout(adata, job.rate, random_state=job.seed)
    file = embeddings / f"{job.set}-{job.method}-{job.rate:g}-{job.seed}.npz" if embeddings else None
    rep, seconds = keep(lambda: METHODS[job.method](adata, job.seed, None), file)
    starts = range(_STARTS * job.seed, _STARTS * (job.seed + 1))
    clusters = [KMeans(len(set(types)), n_init=10, random_state=start).fit_predict(rep) for start in starts]
    return {
        "kmeans_ari": float(np.mean([metrics.adjusted_rand_index(types, found) for found in clusters])),
        "kmeans_nmi": float(np.mean([metrics.normalized_mutual_info(types, found) for found in clusters])),
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
