"""Neighbour graphs in one piece: who is near whom, and links between the pieces where there are several."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from scclr_ext.tl._graph import EXACT_CELLS, neighbor_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray


Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Two cells, and how far they are apart."""


class Nearest(NamedTuple):
    """The nearest cells of every cell, nearest first: one entry per pair, sorted by cell and place."""

    cell: NDArray[np.int64]
    neighbor: NDArray[np.int64]
    distance: NDArray[np.float64]
    place: NDArray[np.int64]
    """0 for the nearest."""

    @classmethod
    def find(cls, rep: np.ndarray, k: int, random_state: int) -> Nearest:
        """Find the `k` cells nearest to each, exactly where there are not too many cells."""
        if len(rep) <= EXACT_CELLS:
            distance, index = NearestNeighbors(n_neighbors=k).fit(rep).kneighbors()
            places = np.tile(np.arange(k), len(rep))
            return cls(np.repeat(np.arange(len(rep)), k), index.ravel(), distance.ravel(), places)
        distances = neighbor_graph(rep, "X", k + 1, random_state).obsp["distances"]
        cell = np.repeat(np.arange(len(rep)), np.diff(distances.indptr))
        order = np.lexsort((distances.data, cell))
        places = np.arange(len(cell)) - distances.indptr[cell]
        return cls(cell, distances.indices[order].astype(np.int64), distances.data[order].astype(np.float64), places)


def neighbor_links(nearest: Nearest, n_cells: int, k: int, *, mutual: bool) -> sparse.csr_matrix:
    """Link every cell to its `k` nearest, or only those pairs that name each other; all links weigh 1.

    Without weights, since a cell far from all others would otherwise hang by a thread, and a diffusion measures
    threads before anything else.
    """
    near = nearest.place < k
    entries = (np.ones(near.sum()), (nearest.cell[near], nearest.neighbor[near]))
    directed = sparse.csr_matrix(entries, shape=(n_cells, n_cells))
    links = directed.minimum(directed.T) if mutual else directed.maximum(directed.T)
    return sparse.csr_matrix(links)


def n_pieces(links: sparse.csr_matrix) -> tuple[int, NDArray[np.int64]]:
    """Count the pieces of a graph, and tell the piece of every cell."""
    count, piece = connected_components(links, directed=False)
    return int(count), piece.astype(np.int64)


def join_pieces(links: sparse.csr_matrix, rep: np.ndarray, nearest: Nearest, k: int) -> sparse.csr_matrix:
    """Link every piece but the largest to the piece nearest to it, until one is left (Boruvka's algorithm).

    A link between pieces is as strong as one between cells: `k` cells of either side, those nearest to the other, are
    linked to the cell nearest to them over there. One single link would be a bottleneck wherever it happens to lie.

    Parameters
    ----------
    links
        Graph of cells.
    rep
        Embedding, shape ``(cells, dimensions)``.
    nearest
        Nearest cells of each, by the same embedding; where it does not reach out of a piece, the cells are searched.
    k
        Cells of either side that are linked.
    """
    while True:
        count, piece = n_pieces(links)
        if count == 1:
            return links
        largest = np.bincount(piece).argmax()
        crossing = piece[nearest.cell] != piece[nearest.neighbor]
        by_piece = np.argsort(piece[nearest.cell[crossing]], kind="stable")
        known = tuple(column[crossing][by_piece] for column in (nearest.cell, nearest.neighbor, nearest.distance))
        bounds = np.searchsorted(piece[known[0]], np.arange(count + 1))
        new = []
        for i in range(count):
            if i == largest:
                continue
            own = slice(bounds[i], bounds[i + 1])
            pairs = tuple(column[own] for column in known) if own.stop > own.start else _search(rep, piece == i, k)
            new.append(_strongest(pairs, piece, k))
        rows, columns = (np.concatenate(ends) for ends in zip(*new, strict=True))
        bridge = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=links.shape)
        links = sparse.csr_matrix(links.maximum(bridge).maximum(bridge.T))
        links.data[:] = 1.0


def _search(rep: np.ndarray, inside: NDArray[np.bool_], k: int) -> Pairs:
    """Find the cells outside of a piece that are nearest to each of its cells."""
    own, others = np.flatnonzero(inside), np.flatnonzero(~inside)
    k = min(k, len(others))
    distance, index = NearestNeighbors(n_neighbors=k).fit(rep[others]).kneighbors(rep[own])
    return np.repeat(own, k), others[index.ravel()], distance.ravel()


def _strongest(pairs: Pairs, piece: NDArray[np.int64], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the links to the piece nearest by: for each end, one from each of the `k` nearest cells."""
    order = np.argsort(pairs[2], kind="stable")
    here, there = pairs[0][order], pairs[1][order]
    to_nearest = piece[there] == piece[there[0]]
    here, there = here[to_nearest], there[to_nearest]
    chosen = np.unique(np.concatenate([np.sort(np.unique(end, return_index=True)[1])[:k] for end in (here, there)]))
    return here[chosen], there[chosen]
