"""From an embedding and its neighbour graph to clusters: at a setting that was asked for, or at one that is chosen."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scclr_ext._checks import check_whole, is_whole
from scclr_ext._warn import warn
from scclr_ext.tl._clustering.communities import as_igraph
from scclr_ext.tl._clustering.partition import GRAPH_METHODS, REP_METHODS, by_size
from scclr_ext.tl._clustering.resolution import resolution_for
from scclr_ext.tl._clustering.sweep import sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FINDS_OUT_ITSELF = frozenset(name for name, clusterer in REP_METHODS.items() if not clusterer.takes_k)


class ClusterOptions(NamedTuple):
    """How an embedding is clustered; as in :func:`scclr_ext.tl.contrastive_cluster`."""

    method: str = "leiden"
    resolution: float | None = None
    n_clusters: int | None = None
    n_neighbors: int = 15

    @property
    def chooses(self) -> bool:
        """Whether the number of clusters is left to be chosen."""
        return self.resolution is None and self.n_clusters is None and self.method not in _FINDS_OUT_ITSELF

    def check(self, n_cells: int, *, name: str) -> None:
        """Refuse what cannot work; `name` is what the user calls the method's argument.

        Raises
        ------
        ValueError
            For an unknown method, and options that contradict one another or the number of cells.
        """
        method, resolution, n_clusters, n_neighbors = self
        if method not in GRAPH_METHODS and method not in REP_METHODS:
            known = ", ".join(map(repr, (*GRAPH_METHODS, *REP_METHODS)))
            msg = f"Unknown `{name}` {method!r}; choose one of {known}."
            raise ValueError(msg)
        if resolution is not None and (method in REP_METHODS or n_clusters is not None):
            msg = f"`resolution={resolution!r}` only goes with 'leiden' or 'louvain' and without `n_clusters`."
            raise ValueError(msg)
        numeric = isinstance(resolution, Real) and not isinstance(resolution, bool)
        if resolution is not None and not (numeric and 0 < resolution < math.inf):
            msg = f"`resolution` must be a positive number; found {resolution!r}."
            raise ValueError(msg)
        if method in _FINDS_OUT_ITSELF and n_clusters is not None:
            msg = f"{name}={method!r} finds the number of clusters by itself; found n_clusters={n_clusters}."
            raise ValueError(msg)
        if n_clusters is not None and not (is_whole(n_clusters) and 1 <= n_clusters <= n_cells):
            msg = (
                f"`n_clusters` must be a whole number between 1 and the number of cells ({n_cells}); found "
                f"{n_clusters!r}."
            )
            raise ValueError(msg)
        check_whole(2, n_neighbors=n_neighbors)


class Clusters(NamedTuple):
    """Cluster of each cell, the largest first; the resolution, where there is one; how it was chosen, where it was."""

    labels: NDArray[np.int64]
    resolution: float | None
    record: dict[str, Any]


def find_clusters(
    rep: np.ndarray,
    graph: Any,
    options: ClusterOptions,
    *,
    batches: NDArray[np.int64] | None,
    random_state: int,
) -> Clusters:
    """Cluster the cells.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    graph
        Its neighbour graph, ``(cells, cells)``.
    options
        How; checked before.
    batches
        Batch of each cell, for the choice of the number.
    random_state
        Seed.
    """
    method, resolution, n_clusters, n_neighbors = options
    if options.chooses:
        chosen = sweep(rep, graph, method, batches=batches, n_neighbors=n_neighbors, random_state=random_state)
        # Numbered already, as in the record.
        return Clusters(chosen.labels, chosen.setting if method in GRAPH_METHODS else None, chosen.record)
    if method in REP_METHODS:
        return Clusters(by_size(REP_METHODS[method].fit(rep, graph, n_clusters or 0, random_state)), None, {})
    labels, found = _cut_graph(graph, method, resolution, n_clusters, random_state)
    return Clusters(by_size(labels), found, {})


def _cut_graph(
    graph: Any, method: str, resolution: float | None, n_clusters: int | None, random_state: int
) -> tuple[NDArray[np.int64], float]:
    if n_clusters == 1:  # whatever the pieces of the graph, which no resolution joins
        return np.zeros(graph.shape[0], dtype=np.int64), 0.0
    graph = as_igraph(graph)

    def partition(value: float) -> NDArray[np.int64]:
        return GRAPH_METHODS[method](graph, value, random_state)

    if resolution is not None:
        return partition(resolution), resolution
    assert n_clusters is not None  # one of the two is set
    found = resolution_for(partition, n_clusters)
    if found.n_clusters != n_clusters:
        warn(
            f"No resolution gave {n_clusters} clusters; {found.n_clusters} is the nearest "
            f"(resolution {found.resolution:.3g}). Use method='kmeans' for exactly {n_clusters}."
        )
    return found.labels, found.resolution
