"""Batches that the reference has not seen, each moved onto it as a whole. Arrays only."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from scclr_ext.tl._mapping.neighborhoods import find_neighbors
from scclr_ext.tl._mapping.transfer import directions

_MOST_CELLS = 10_000
_FEWEST_CELLS = 10
_ROUNDS = 5


def shift_batches(
    reference: np.ndarray, cells: np.ndarray, batches: np.ndarray, n_neighbors: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Move each batch by the median difference between its cells and their mutual nearest neighbours.

    One step for all cells of a batch: what tells its cells apart stays as it was, so that a cell type which the
    reference lacks is not drawn onto one that it has, as by a correction cell by cell (Haghverdi et al. 2018). The
    pairs are found anew after each of five steps, as in the registration of point clouds (Besl & McKay 1992).

    Parameters
    ----------
    reference
        Embedded reference cells, shape ``(reference cells, dimensions)``.
    cells
        Embedded query cells, shape ``(cells, dimensions)``.
    batches
        Batch of each query cell, integers from 0.
    n_neighbors
        Neighbours looked up on either side.
    rng
        Picks the cells compared, where there are many.

    Returns
    -------
    The moved cells, float32, and the number of pairs of each batch; one with fewer than ten cells that have partners,
    or fewer than ten partners, stays where it is.
    """
    out, n_pairs = cells.copy(), []
    some = _sample(reference, rng)
    center = reference.mean(axis=0)
    there = directions(some, center)
    for batch in np.unique(batches):
        inside = batches == batch
        mine = _sample(cells[inside], rng)
        step = np.zeros(cells.shape[1], dtype=np.float32)
        for _ in range(_ROUNDS):
            own, partner = _mutual(directions(mine + step, center), there, n_neighbors)
            if min(len(np.unique(own)), len(np.unique(partner))) < _FEWEST_CELLS:
                step[:] = 0
                break
            step = np.median(some[partner] - mine[own], axis=0).astype(np.float32)
        out[inside] += step
        n_pairs.append(len(own))
    return out, n_pairs


def _mutual(here: np.ndarray, there: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of cells that count one another among their nearest: their places on either side."""
    graphs = []
    for left, right in ((here, there), (there, here)):
        places = find_neighbors(right, left, n_neighbors).places
        rows = np.repeat(np.arange(len(left)), places.shape[1])
        ones = np.ones(places.size, dtype=np.int8)
        graphs.append(sparse.csr_array((ones, (rows, places.ravel())), shape=(len(left), len(right))))
    both = graphs[0].multiply(graphs[1].T).tocoo()
    return both.row, both.col


def _sample(rep: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rep if len(rep) <= _MOST_CELLS else rep[np.sort(rng.choice(len(rep), _MOST_CELLS, replace=False))]
