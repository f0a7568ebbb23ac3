"""What runs with several seeds have in common, in pairs and cluster by cluster."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.metrics import adjusted_rand_index

if TYPE_CHECKING:
    from scclr_ext.tl._repeats.run_once import SeedRun


def compare(runs: list[SeedRun]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Tabulate the scores of each run, and compare each pair of them; last come the shared neighbours of each cell."""
    n = len(runs)
    ari, overlap = np.eye(n), np.eye(n)
    per_cell = np.zeros(len(runs[0].labels))
    for i, j in combinations(range(n), 2):
        ari[i, j] = ari[j, i] = adjusted_rand_index(runs[i].labels, runs[j].labels)
        left, right = runs[i].neighbors, runs[j].neighbors
        shared = np.asarray(left.multiply(right).sum(axis=1)).ravel()
        share = 2 * shared / np.maximum(np.diff(left.indptr) + np.diff(right.indptr), 1)
        overlap[i, j] = overlap[j, i] = share.mean()
        per_cell += share / (n * (n - 1) / 2)
    table = {name: np.array([one.scores[name] for one in runs]) for name in runs[0].scores}
    table["n_clusters"] = table["n_clusters"].astype(np.int64)
    table["mean_ari"] = (ari.sum(axis=1) - 1) / (n - 1)
    table["neighbor_overlap"] = (overlap.sum(axis=1) - 1) / (n - 1)
    return table, ari, overlap, per_cell


def per_cluster(labels: np.ndarray, confidence: np.ndarray, overlap: np.ndarray) -> dict[str, np.ndarray]:
    """Tabulate the consensus clusters: sizes, and the means of what is known of each cell."""
    sizes = np.bincount(labels)
    return {
        "cluster": np.array([str(i) for i in range(len(sizes))]),
        "n_cells": sizes,
        "confidence": np.bincount(labels, confidence) / sizes,
        "neighbor_overlap": np.bincount(labels, overlap) / sizes,
    }
