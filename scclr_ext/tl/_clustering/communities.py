"""Communities of a neighbour graph, by igraph."""

from __future__ import annotations

import gc
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import igraph
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    Labels = NDArray[np.int64]


class _Draws:
    """Random numbers for igraph: the same that scanpy hands to it for a seed."""

    def __init__(self, random_state: int) -> None:
        self._rng = np.random.RandomState(random_state)
        self.random, self.gauss = self._rng.random_sample, self._rng.normal

    def getrandbits(self, k: int) -> int:
        return self._rng.tomaxint() & ((1 << k) - 1)

    def randint(self, a: int, b: int) -> int:
        return int(self._rng.randint(a, b + 1))


@contextmanager
def _random_numbers_from(generator: _Draws | random.Random) -> Iterator[None]:
    """Let igraph draw from `generator` within this context; it has one generator for everybody."""
    igraph.set_random_number_generator(generator)
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)  # igraph's own default


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let Python look for no garbage within this context."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def as_igraph(connectivities: sparse.csr_matrix) -> igraph.Graph:
    """Turn a neighbour graph, ``(cells, cells)``, into igraph's; to cut it at many resolutions, do this once.

    Like scanpy's, it has every edge in both directions: the best partition is the same, the way to it is not.
    """
    edges = connectivities.tocoo()
    stored = edges.data != 0
    # igraph makes a tuple of every edge on the way, which has Python look through all of its objects time and again:
    # beside what numba and scanpy hold, that took nine tenths of the time.
    with _no_collection():
        return igraph.Graph(
            n=edges.shape[0],
            edges=np.column_stack([edges.row[stored], edges.col[stored]]),
            edge_attrs={"weight": edges.data[stored]},
        )


def leiden(graph: sparse.csr_matrix | igraph.Graph, resolution: float, random_state: int) -> Labels:
    """Leiden communities of a neighbour graph: those of `sc.tl.leiden` with the settings scanpy recommends.

    (`flavor="igraph"`, `n_iterations=2`, `directed=False`.) Its graph may be given as igraph's, see `as_igraph`.
    """
    graph = graph if isinstance(graph, igraph.Graph) else as_igraph(graph)
    with _random_numbers_from(_Draws(int(random_state))):
        parts = graph.community_leiden(
            objective_function="modularity", weights="weight", resolution=resolution, n_iterations=2
        )
    return np.array(parts.membership, dtype=np.int64)


def louvain(graph: sparse.csr_matrix | igraph.Graph, resolution: float, random_state: int) -> Labels:
    """Louvain communities (igraph's multilevel algorithm) of a neighbour graph."""
    graph = graph if isinstance(graph, igraph.Graph) else as_igraph(graph)
    with _random_numbers_from(random.Random(int(random_state))):
        parts = graph.community_multilevel(weights="weight", resolution=resolution)
    return np.array(parts.membership, dtype=np.int64)
