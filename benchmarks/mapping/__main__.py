"""Train on one donor, protocol or condition and map another: ``python -m benchmarks.mapping``.

Rows are added to results.csv as they are measured; what is there is not measured again.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks._resumable import measure_missing
from benchmarks.mapping import table
from benchmarks.mapping.mappers import MAPPERS
from benchmarks.mapping.pairs import PAIRS, load, removable

RESULTS = Path(__file__).with_name("results.csv")
_BINS = 10


class Job(NamedTuple):
    """One mapping to make and score; `removed` is the type that the reference lacks, `"none"` where it has all."""

    pair: str
    mapper: str
    removed: str
    seed: int


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mappers", nargs="+", default=list(MAPPERS), choices=MAPPERS)
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=PAIRS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--removed", type=int, default=2, help="types to take out of each reference, one at a time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--models", type=Path, help="keep trained models in this folder, and use those found there")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    jobs = [
        Job(pair, mapper, removed, seed)
        for seed in range(args.seeds)
        for pair in args.pairs
        for removed in ("none", *removable(*load(pair), args.removed))
        for mapper in args.mappers
    ]
    table.write(
        measure_missing(jobs, lambda job: measure(job, args.models), args.results, key=Job._fields, again=args.again)
    )


def measure(job: Job, models: Path | None) -> dict[str, float]:
    """The scores of one job."""
    reference, query = load(job.pair)
    reference = reference[reference.obs["cell_type"] != job.removed].copy()
    truth = query.obs["cell_type"].astype(str).to_numpy()
    known = np.isin(truth, reference.obs["cell_type"].astype(str).unique())
    del query.obs["cell_type"]
    folder = models / f"{job.pair}-{job.removed}".replace("/", "-") if models else None
    found = MAPPERS[job.mapper](reference, query, job.seed, PAIRS[job.pair].batch_key, folder)
    right = found.labels == truth
    novel = truth == job.removed
    either = known | novel
    has_novel = bool(novel.any())
    return {
        "accuracy": right[known].mean(),
        "balanced_accuracy": balanced_accuracy_score(truth[known], found.labels[known]),
        "confidence": found.confidence[known].mean(),
        "calibration_error": calibration_error(found.confidence[known], right[known]),
        "known_called_novel": (found.novelty[known] > 1).mean(),
        "novel_found": (found.novelty[novel] > 1).mean() if has_novel else np.nan,
        "novelty_auroc": roc_auc_score(novel[either], found.novelty[either]) if has_novel else np.nan,
        "doubt_auroc": roc_auc_score(novel[either], -found.confidence[either])
        if has_novel and np.isfinite(found.confidence).all()
        else np.nan,
        "n_known": int(known.sum()),
        "n_novel": int(novel.sum()),
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean distance between confidence and share of right labels, over tenths of the confidence (Guo et al. 2017)."""
    if not np.isfinite(confidence).all():
        return float("nan")
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [(place == i).mean() * abs(confidence[place == i].mean() - right[place == i].mean()) for i in set(place)]
    return float(np.sum(gaps))


if __name__ == "__main__":
    main()
