"""How well clusterings of the same cells agree, cell by cell, and the clustering that agrees best with all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scclr_ext.tl._clustering.partition import by_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]

_MOST_ROUNDS = 20
_GAIN = 1e-12
_DOUBTFUL = 0.5
_REMNANT = 1 / 3


class Consensus(NamedTuple):
    """Cluster of each cell, 0 the largest, and how far the runs agree about it, from 0 to 1."""

    labels: Labels
    confidence: NDArray[np.float64]


def similarity(left: Labels, right: Labels, weights: np.ndarray | None = None) -> NDArray[np.float64]:
    """Measure how much the clusters that two clusterings put each cell into are the same.

    For each pair of clusters it is the number of cells they share, divided by the size of the larger one: 1 where
    they are the same, less where cells joined or left. This is what the element-centric similarity of Gates et al.
    (Scientific Reports, 2019) comes to for clusters that do not overlap.

    Parameters
    ----------
    left, right
        Cluster of each cell as integers from 0, shape ``(cells,)``.
    weights
        How many cells an entry stands for.

    Returns
    -------
    A row per cluster of `left` and a column per cluster of `right`.
    """
    shape = (int(left.max()) + 1, int(right.max()) + 1)
    shared = np.bincount(left * shape[1] + right, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
    larger = np.maximum(shared.sum(axis=1)[:, None], shared.sum(axis=0))
    return shared / np.maximum(larger, 1)


def consensus(runs: NDArray[np.int64]) -> Consensus:
    """Find the clustering whose clusters are, on average over cells and runs, most like those of the runs.

    Each run is a starting point. Every cell is then moved to the cluster that is most like the clusters the runs put
    it into, until no move helps; the best of the results is taken. What is left of clusters that hardly any run knows
    (mean confidence below a third of the overall one) joins the others. A cell's confidence is that likeness
    (:func:`similarity`), averaged over the runs.

    Parameters
    ----------
    runs
        Cluster of each cell in each run, integers from 0, shape ``(runs, cells)``.

    Notes
    -----
    Cells that no run tells apart are handled as one, so that time and memory grow with the number of cells times
    that of clusters; no matrix of cells by cells is made.
    """
    # Sorting columns by all their rows is slow; a column as one number is not.
    codes = np.zeros(runs.shape[1], dtype=np.int64)
    for run in runs:
        _, codes = np.unique(codes * (int(run.max()) + 1) + run, return_inverse=True)
    _, first, weights = np.unique(codes, return_index=True, return_counts=True)
    kinds = runs[:, first]
    best = max((_climb(start, kinds, weights) for start in kinds), key=lambda found: float(weights @ found.confidence))
    best = _without_remnants(best, kinds, weights)
    return Consensus(by_size(best.labels[codes]), best.confidence[codes])


def _climb(start: Labels, kinds: NDArray[np.int64], weights: np.ndarray) -> Consensus:
    """Move kinds of cells to better clusters, and give up whole ones, as long as the mean confidence rises."""
    best = _settle(start, kinds, weights)
    for _ in range(_MOST_ROUNDS):
        # A remnant that no run knows can only go as a whole: each of its cells alone would not gain.
        without = (
            _settle(_dissolve(best.labels, gone, kinds, weights), kinds, weights) for gone in _doubtful(best, weights)
        )
        found = max(without, key=lambda one: float(weights @ one.confidence), default=best)
        if weights @ found.confidence <= weights @ best.confidence * (1 + _GAIN):
            break
        best = found
    return best


def _without_remnants(found: Consensus, kinds: NDArray[np.int64], weights: np.ndarray) -> Consensus:
    """Dissolve the least known cluster, one after the other, as long as hardly any run knows it."""
    while found.labels.max() > 0:
        known = np.bincount(found.labels, weights * found.confidence) / np.bincount(found.labels, weights)
        if known.min() >= _REMNANT * (weights @ found.confidence) / weights.sum():
            break
        labels = _dissolve(found.labels, int(known.argmin()), kinds, weights)
        found = Consensus(labels, _likeness(labels, kinds, weights)[np.arange(len(labels)), labels])
    return found


def _settle(labels: Labels, kinds: NDArray[np.int64], weights: np.ndarray) -> Consensus:
    """Move every kind to the cluster it fits best, again and again."""
    place = np.arange(kinds.shape[1])
    best: Consensus | None = None
    for _ in range(_MOST_ROUNDS):
        likeness = _likeness(labels, kinds, weights)
        found = Consensus(labels, likeness[place, labels])
        if best is not None and weights @ found.confidence <= weights @ best.confidence * (1 + _GAIN):
            break
        best = found
        nearest = likeness.argmax(axis=1)
        better = likeness[place, nearest] > found.confidence + _GAIN
        if not better.any():
            break
        labels = np.unique(np.where(better, nearest, labels), return_inverse=True)[1]
    assert best is not None  # set in the first round
    return best


def _likeness(labels: Labels, kinds: NDArray[np.int64], weights: np.ndarray) -> np.ndarray:
    """How like each cluster is, on average over the runs, to those that hold a kind; shape ``(kinds, clusters)``."""
    likeness = np.zeros((kinds.shape[1], int(labels.max()) + 1))
    for run in kinds:
        likeness += similarity(labels, run, weights)[:, run].T
    return likeness / len(kinds)


def _dissolve(labels: Labels, gone: int, kinds: NDArray[np.int64], weights: np.ndarray) -> Labels:
    """Hand the members of one cluster to the others."""
    likeness = _likeness(labels, kinds, weights)
    likeness[:, gone] = -1
    moved = np.where(labels == gone, likeness.argmax(axis=1), labels)
    return np.unique(moved, return_inverse=True)[1]


def _doubtful(found: Consensus, weights: np.ndarray) -> list[int]:
    """Name the clusters that few runs know, unless there is only one."""
    if found.labels.max() < 1:
        return []
    known = np.bincount(found.labels, weights * found.confidence) / np.bincount(found.labels, weights)
    return np.flatnonzero(known < _DOUBTFUL).tolist()
