"""From the clusters of a sample to those of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 20
"""Where one cell in fifty has a label, five leave some cells without, and so many none."""
_AT_A_TIME = 32
"""Clusters; memory is needed for as many numbers of each cell."""


def spread(
    rep: np.ndarray,
    graph: sparse.csr_matrix,
    cells: NDArray[np.int64],
    labels: NDArray[np.int64],
    n_neighbors: int,
) -> NDArray[np.int64]:
    """Let the labels of some cells spread along the neighbour graph of all (Zhu and Ghahramani 2002).

    A cell belongs to clusters by degrees: round by round every cell without a label takes the mean of its neighbours,
    weighted as in the graph, while those with one keep it. Of each in the end the cluster counts that it belongs to
    most. Cells in pieces of the graph without any label take that of most of their nearest neighbours with one.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    graph
        Its neighbour graph, ``(cells, cells)``, with weights that are not negative.
    cells
        Those with a label, ascending.
    labels
        Their labels, numbered from 0.
    n_neighbors
        How many vote where the graph leads nowhere.

    Returns
    -------
    The labels of all cells.
    """
    n_cells, n_labels = graph.shape[0], int(labels.max()) + 1
    others = np.setdiff1d(np.arange(n_cells), cells)
    weights = graph[others].astype(np.float32)
    total = np.maximum(weights.sum(axis=1), np.finfo(np.float32).tiny)
    mean = (sparse.diags_array(1 / np.asarray(total).ravel()) @ weights).tocsr().astype(np.float32)
    most = np.zeros(len(others), dtype=np.float32)
    joined = np.full(n_cells, -1, dtype=labels.dtype)
    joined[cells] = labels
    # Not scikit-learn's: it holds all clusters of all cells at once, in double precision and several times (a graph in
    # pieces may have thousands), and gives cells that no path leads to the first label.
    for first in range(0, n_labels, _AT_A_TIME):
        own = (labels >= first) & (labels < first + _AT_A_TIME)
        member = np.zeros((n_cells, min(_AT_A_TIME, n_labels - first)), dtype=np.float32)
        member[cells[own], labels[own] - first] = 1
        for _ in range(_ROUNDS):
            member[others] = mean @ member
        degree = member[others].max(axis=1)
        better = degree > most
        joined[others[better]] = first + member[others[better]].argmax(axis=1)
        most[better] = degree[better]
    if (alone := np.flatnonzero(joined < 0)).size:
        joined[alone] = KNeighborsClassifier(n_neighbors).fit(rep[cells], labels).predict(rep[alone])
    return joined
