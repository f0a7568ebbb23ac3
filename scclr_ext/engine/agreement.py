"""Which linear directions batches agree on: principal components turned and weighed, a function of a cell's genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse
from sklearn.utils.extmath import svd_flip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scclr_ext.engine.neighbors import Neighbors

_RIDGE = 1e-6
"""Of the mean variance, added to each: components without any would divide by zero."""
_NOTHING = 1e-30
"""Added as well, for cells that are all alike."""
_NEGLIGIBLE = 0.01
"""A direction with less than this share of the largest standard deviation is none."""


def agreement(rep: np.ndarray, pairs: Neighbors) -> NDArray[np.float64]:
    """Estimate, as a linear map, what partners share.

    Take a cell's scores for a sum of what it shares with its partners and of what it does not: the effect of its
    batch, and noise. Half of the mean outer product of the partners' differences is the covariance D of the latter,
    what it lacks of the total covariance T that of the former, and the best linear estimate of the shared part of x
    (Wiener's) is (T - D) T⁻¹ x, where directions in which D exceeds T are left out.

    Parameters
    ----------
    rep
        Scores of the principal components, shape ``(cells, components)``.
    pairs
        Partners of each cell; every cell that has any counts once.

    Returns
    -------
    A map for ``rep @ map``, shape ``(components, kept)``: its directions are uncorrelated, in the order of their
    variance, those with next to none are left out, and the largest entry of each is positive.
    """
    x = rep.astype(np.float64)
    x -= x.mean(axis=0)
    total = x.T @ x / len(x)
    total += (_RIDGE * np.trace(total) / len(total) + _NOTHING) * np.eye(len(total))
    share, axes = linalg.eigh(_disagreement(x, pairs), total)  # axes.T @ total @ axes = 1
    kept = share < 1
    estimate = axes[:, kept] * (1 - share[kept]) @ axes[:, kept].T @ total
    variance, turn = linalg.eigh(estimate.T @ total @ estimate)
    found = estimate @ turn[:, ::-1][:, variance[::-1] > _NEGLIGIBLE**2 * variance[-1]]
    return svd_flip(found, None)[0]  # so that a sign does not hang on rounding


def _disagreement(x: NDArray[np.float64], pairs: Neighbors) -> NDArray[np.float64]:
    """Half of the mean outer product of the differences between partners, by way of the graph's Laplacian."""
    indptr, indices = pairs.indptr.numpy(), pairs.indices.numpy()
    if not len(indices):
        return np.zeros((x.shape[1], x.shape[1]))
    counts = np.diff(indptr)
    weights = np.repeat(1 / np.maximum(counts, 1), counts)
    graph = sparse.csr_array((weights, indices, indptr), shape=(len(x), len(x)))
    degrees = np.asarray(graph.sum(axis=1)).ravel() + np.asarray(graph.sum(axis=0)).ravel()
    across = x.T @ (graph @ x)
    return (x.T @ (degrees[:, None] * x) - across - across.T) / (2 * weights.sum())
