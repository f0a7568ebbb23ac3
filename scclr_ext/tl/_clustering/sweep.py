"""Candidates over a grid, the choice among them, and its record."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from scclr_ext.metrics import adjusted_rand_index
from scclr_ext.tl._clustering.choose import SHARPNESS, choose_partition
from scclr_ext.tl._clustering.communities import as_igraph
from scclr_ext.tl._clustering.partition import GRAPH_METHODS, REP_METHODS, by_size
from scclr_ext.tl._clustering.spread import spread
from scclr_ext.tl._graph import neighbor_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

_RESOLUTIONS = np.geomspace(0.02, 3.0, 20)
_NUMBERS = (*range(2, 16), 18, 21, 25, 30)
_MANY_CELLS = 20_000
"""With more cells, candidates are made and compared on a sample of this many; the rest join along the graph."""
_DRAWS, _SHARE = 3, 0.8
_LEAST_STABILITY = 0.2
"""What other draws of the cells do not give again is no cluster: one population, cut anywhere."""
_SHARPNESS_OF_NUMBERS = 0.01


class Sweep(NamedTuple):
    """The chosen partition of all cells, and how it was chosen."""

    labels: NDArray[np.int64]
    setting: float
    record: dict[str, Any]


def sweep(
    rep: np.ndarray,
    graph: sparse.csr_matrix,
    method: str,
    *,
    batches: NDArray[np.int64] | None,
    n_neighbors: int,
    random_state: int,
) -> Sweep:
    """Cluster over a grid of resolutions (or numbers of clusters) and choose.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    graph
        Its neighbour graph.
    method
        Name of a clustering method.
    batches
        Batch of each cell.
    n_neighbors
        Neighbours in the graph, also for the sample of a large data set.
    random_state
        Seed.
    """
    cells = None
    if len(rep) > _MANY_CELLS:
        cells = np.sort(np.random.default_rng(random_state).choice(len(rep), _MANY_CELLS, replace=False))
        all_cells, everything, rep = rep, graph, rep[cells]
        graph = neighbor_graph(rep, "X", n_neighbors, random_state).obsp["connectivities"]
        batches = None if batches is None else batches[cells]

    by_resolution = method in GRAPH_METHODS
    grid, name = (_RESOLUTIONS, "resolution") if by_resolution else (_numbers(len(rep)), "n_clusters")
    once = as_igraph(graph) if by_resolution else graph
    with warnings.catch_warnings():
        # The user did not ask for so many clusters.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        partitions = [by_size(_cut(rep, once, method, value, random_state)) for value in grid]
    sharpness = SHARPNESS if by_resolution else _SHARPNESS_OF_NUMBERS
    choice = choose_partition(rep, graph, partitions, batches=batches, sharpness=sharpness, random_state=random_state)
    if choice.index >= 0:
        stable = _stability(rep, graph, method, float(grid[choice.index]), partitions[choice.index], random_state)
        choice = replace(choice, stability=stable)
        if stable < _LEAST_STABILITY:
            choice = replace(choice, index=-1, expected_ari=np.nan, margin=np.nan, runner_up=0)
    labels = partitions[choice.index] if choice.index >= 0 else np.zeros(len(rep), dtype=np.int64)
    if cells is not None and choice.index >= 0:
        labels = spread(all_cells, everything, cells, labels, n_neighbors)
    elif cells is not None:
        labels = np.zeros(len(all_cells), dtype=np.int64)
    table = {column: choice.table[column].to_numpy() for column in choice.table}
    record = {
        "sweep": {name: np.asarray(grid), **table},
        "choice": choice.record(),
        "flow": _flow(partitions),
    }
    return Sweep(labels, float(grid[choice.index]) if choice.index >= 0 else 0.0, record)


def _numbers(n_cells: int) -> NDArray[np.int64]:
    return np.array([k for k in _NUMBERS if k < n_cells])


def _cut(rep: np.ndarray, graph: Any, method: str, value: float, random_state: int) -> NDArray[np.int64]:
    if method in GRAPH_METHODS:
        return GRAPH_METHODS[method](graph, float(value), random_state)
    return REP_METHODS[method].fit(rep, graph, int(value), random_state)


def _stability(
    rep: np.ndarray, graph: Any, method: str, value: float, labels: NDArray[np.int64], random_state: int
) -> float:
    """Mean ARI of a partition with those of random subsets of the cells, cut at the same setting."""
    rng = np.random.default_rng(random_state)
    agreement = []
    for _ in range(_DRAWS):
        cells = np.sort(rng.choice(len(rep), int(_SHARE * len(rep)), replace=False))
        again = _cut(rep[cells], graph[cells][:, cells], method, value, random_state)
        agreement.append(adjusted_rand_index(labels[cells], again))
    return float(np.mean(agreement))


def _flow(partitions: list[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """How many cells go from which cluster of a candidate to which of the next."""
    rows = [np.zeros((0, 4), dtype=np.int64)]
    for step, (left, right) in enumerate(zip(partitions[:-1], partitions[1:], strict=True)):
        pairs, counts = np.unique(np.column_stack([left, right]), axis=0, return_counts=True)
        rows.append(np.column_stack([np.full(len(pairs), step), pairs, counts]))
    flow = np.concatenate(rows)
    return dict(zip(("step", "source", "target", "n_cells"), flow.T.copy(), strict=True))
