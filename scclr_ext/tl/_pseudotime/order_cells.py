"""The order of all cells that many neighbour graphs agree on, from a first cell. Arrays only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from scclr_ext.tl._pseudotime.joined_graph import Nearest, join_pieces, n_pieces, neighbor_links
from scclr_ext.tl._pseudotime.order import AgreedOrder, agreed_order, diffusion_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

FEWEST_CELLS = 5
"""Fewer have no order."""
_SCALES = np.geomspace(1 / 3, 2, 5)
"""Numbers of neighbours that are tried, as multiples of `n_neighbors`."""
_SHARE = 3
"""No more neighbours than a third of the cells: beyond, nobody is a neighbour."""


class Ordered(NamedTuple):
    """Where each cell stands; `links` is the graph with as many neighbours as were asked for."""

    pseudotime: NDArray[np.float64]
    spread: NDArray[np.float64]
    agreement: float
    piece: NDArray[np.int64]
    n_pieces: int
    links: sparse.csr_matrix


def order_cells(
    rep: np.ndarray, root: int, n_neighbors: int, *, join: bool, random_state: int, progress: bool
) -> Ordered:
    """Order the cells of an embedding from a root on, each piece of its graph by itself where they are not joined.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    root
        Number of the first cell.
    n_neighbors
        Neighbours of a cell, from a third to twice as many of which are tried.
    join
        Join the pieces of a graph.
    random_state
        Seed.
    progress
        Show a progress bar.
    """
    numbers = _numbers(n_neighbors, len(rep))
    nearest = Nearest.find(rep, max(numbers), random_state)
    k = min(n_neighbors, max(numbers))
    links = neighbor_links(nearest, len(rep), k, mutual=False)
    count, piece = n_pieces(links)
    if join or count == 1:
        agreed = _agree(rep, nearest, root, numbers, random_state=random_state, progress=progress)
        return Ordered(*agreed, piece, count, join_pieces(links, rep, nearest, k))

    # The piece of the root comes first, then by size.
    sizes = np.bincount(piece, minlength=count)
    sizes[piece[root]] = len(rep) + 1
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    piece = rank[piece]
    time, spread, agreements = np.full(len(rep), np.nan), np.full(len(rep), np.nan), []
    for i in range(count):
        cells = np.flatnonzero(piece == i)
        if len(cells) < FEWEST_CELLS:
            continue
        first = int(np.linalg.norm(rep[cells] - rep[root], axis=1).argmin())
        inner = _numbers(n_neighbors, len(cells))
        agreed = _agree(
            rep[cells],
            Nearest.find(rep[cells], max(inner), random_state),
            first,
            inner,
            random_state=random_state,
            progress=progress,
        )
        time[cells], spread[cells] = agreed.pseudotime, agreed.spread
        agreements.append((len(cells), agreed.agreement))
    agreement = float("nan")
    if agreements:
        weights, values = np.array(agreements).T
        agreement = float(np.average(values, weights=weights))
    return Ordered(time, spread, agreement, piece, count, links)


def _agree(
    rep: np.ndarray, nearest: Nearest, root: int, numbers: list[int], *, random_state: int, progress: bool
) -> AgreedOrder:
    orders = []
    kinds = [(k, mutual) for k in numbers for mutual in (False, True)]
    for k, mutual in tqdm(kinds, desc="Graphs", unit="graph", disable=not progress, leave=False):
        links = join_pieces(neighbor_links(nearest, len(rep), k, mutual=mutual), rep, nearest, k)
        orders.append(diffusion_distance(links, root, random_state))
    return agreed_order(orders)


def _numbers(n_neighbors: int, n_cells: int) -> list[int]:
    most = max(2, n_cells // _SHARE)
    return sorted({int(np.clip(k, 2, most)) for k in np.rint(n_neighbors * _SCALES)})
