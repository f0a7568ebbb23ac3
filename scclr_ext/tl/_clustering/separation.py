"""How far two clusters are apart: the depth of the density valley between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE = 300
"""Cells looked at of each cluster."""
_FEWEST = 4
_REPEATS = 2
_GRID = 64
_FEWEST_PER_BATCH = 3
_MANY_BATCHES, _CELLS_PER_BATCH = 10, 8
"""With more batches than the first and fewer cells in each of them, no batch makes a hump, and midpoints are noise."""
_SHARED = 0.2
"""Two clusters whose batches overlap less than this cannot be told from a batch effect."""


def separation(
    rep: np.ndarray,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    rng: np.random.Generator,
    batches: NDArray[np.int64] | None = None,
) -> float:
    """Measure the valley between two clusters, 0 (one population that was cut) to 1 (nothing in between).

    Both clusters are projected on the axis that tells them apart best (a shrunken linear discriminant), and the
    density along that axis is compared at its lowest point with the lower of the two humps beside it. The axis is
    found on one half of the cells and used on the other: on the same cells any cut would look like a gap.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    first, second
        Cells of each cluster.
    rng
        Source of randomness.
    batches
        Batch of each cell: the clusters are then compared within batches (unless these are many and small), and count
        as one population where they hardly share a batch.
    """
    middles = None
    if batches is not None:
        shares = [np.bincount(batches[cells], minlength=batches.max() + 1) for cells in (first, second)]
        if np.minimum(*(share / share.sum() for share in shares)).sum() < _SHARED:
            return 0.0
        both = np.minimum(*shares)
        n_batches = np.count_nonzero(both)
        if n_batches <= _MANY_BATCHES or both.sum() >= _CELLS_PER_BATCH * n_batches:
            first, second = (cells[both[batches[cells]] >= _FEWEST_PER_BATCH] for cells in (first, second))
            # Of all cells, before some are drawn: midpoints of one or two cells on each side would tell the sides.
            middles = (_means(rep, first, batches) + _means(rep, second, batches)) / 2
    first, second = (
        cells if len(cells) <= _SAMPLE else rng.choice(cells, _SAMPLE, replace=False) for cells in (first, second)
    )
    if min(len(first), len(second)) < _FEWEST:
        return 0.0
    a, b = rep[first].astype(np.float64), rep[second].astype(np.float64)
    if batches is not None and middles is not None:  # put the midpoints of the batches together
        a, b = a - middles[batches[first]], b - middles[batches[second]]
    return float(np.mean([valley_depth(*_project(a, b, rng)) for _ in range(_REPEATS)]))


def _means(rep: np.ndarray, cells: NDArray[np.int64], batches: NDArray[np.int64]) -> np.ndarray:
    """Mean of the cells in each batch, shape ``(batches, dimensions)``; zero where there are none."""
    codes, n_batches = batches[cells], batches.max() + 1
    member = sparse.csr_array((np.ones(len(cells)), (codes, np.arange(len(cells)))), shape=(n_batches, len(cells)))
    return member @ rep[cells].astype(np.float64) / np.maximum(np.bincount(codes, minlength=n_batches), 1)[:, None]


def _project(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Place every cell on the discriminant axis of the half it is not in, in units of the spread within."""
    halves_a, halves_b = (np.array_split(rng.permutation(len(x)), 2) for x in (a, b))
    on_a, on_b = [], []
    for own, other in ((0, 1), (1, 0)):
        axis = _discriminant(a[halves_a[own]], b[halves_b[own]])
        left, right = a[halves_a[other]] @ axis, b[halves_b[other]] @ axis
        middle = (left.mean() + right.mean()) / 2
        spread = np.sqrt((left.var() + right.var()) / 2) + 1e-12
        on_a.append((left - middle) / spread)
        on_b.append((right - middle) / spread)
    return np.concatenate(on_a), np.concatenate(on_b)


def _discriminant(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    n, d = len(a) + len(b), a.shape[1]
    shrinkage = min(0.9, max(0.1, d / (2 * n)))
    within = np.concatenate([a - a.mean(axis=0), b - b.mean(axis=0)])
    covariance = within.T @ within / n
    floor = shrinkage * np.trace(covariance) / d + 1e-12
    return np.linalg.solve((1 - shrinkage) * covariance + floor * np.eye(d), b.mean(axis=0) - a.mean(axis=0))


def valley_depth(a: np.ndarray, b: np.ndarray) -> float:
    """Depth of the density's valley between the medians of two samples on a line, which weigh the same.

    One minus the density at its lowest point relative to the lower of the highest points on either side of it.
    """
    x = np.concatenate([a, b])
    weight = np.concatenate([np.full(len(a), 0.5 / len(a)), np.full(len(b), 0.5 / len(b))])
    within = np.sqrt((a.var() + b.var()) / 2) + 1e-9
    total = np.sqrt((weight * (x - weight @ x) ** 2).sum())
    bandwidth = max(0.9 * min(total, 1.3 * within) * (weight @ weight) ** 0.2, 1e-9)  # Silverman's rule
    low, high = sorted((np.median(a), np.median(b)))
    line = np.linspace(low - within, high + within, _GRID)
    with np.errstate(under="ignore"):
        density = (np.exp(-0.5 * ((line[:, None] - x) / bandwidth) ** 2) * weight).sum(axis=1)
    from_left, from_right = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    between = (line > low) & (line < high)
    depth = 1 - density / np.maximum(np.minimum(from_left, from_right), np.finfo(float).tiny)
    return float(depth[between].max(initial=0.0))
