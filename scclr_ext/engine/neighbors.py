"""Which other cells may stand in for a cell's second view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Generator, Tensor

_FEWEST_NEIGHBORS, _CELLS_PER_NEIGHBOR = 3, 20
_MANY_CELLS, _CANDIDATES = 50_000, 20_000
"""With more cells than the first all are compared with so many, not with all others."""
_FEWEST = 100
"""Of each batch, where it has that many."""
_PAIRS_PER_CELL = 300
"""Neighbours looked up per cell over all other batches; with many batches each contributes fewer."""
_PAIRS_AT_A_TIME = 3 * 10**7
_TWICE_AS_FAR = 2.0


@dataclass(frozen=True)
class Neighbors:
    """For every cell a list of cells, which may be empty, as in a CSR matrix.

    Parameters
    ----------
    indptr
        Where each cell's list starts, shape ``(cells + 1,)``.
    indices
        The lists, one after the other.
    """

    indptr: Tensor
    indices: Tensor

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_matrix | sparse.csr_array) -> Neighbors:
        """Take the places of a sparse matrix's stored values."""
        return cls(torch.from_numpy(matrix.indptr.astype(np.int64)), torch.from_numpy(matrix.indices.astype(np.int64)))

    def any(self, index: Tensor) -> Tensor:
        """Whether the lists of these cells hold any."""
        return self.indptr[index + 1] > self.indptr[index]

    def draw(self, index: Tensor, probability: float, generator: Generator) -> Tensor:
        """Replace each cell, with the given probability, by a random cell of its list; without a list it stays."""
        start = self.indptr[index]
        count = self.indptr[index + 1] - start
        pick = start + (torch.rand(len(index), generator=generator) * count).long().clamp(max=(count - 1).clamp(min=0))
        replace = (torch.rand(len(index), generator=generator) < probability) & (count > 0)
        return torch.where(replace, self.indices[torch.where(replace, pick, 0)] if len(self.indices) else index, index)


def few_neighbors(wanted: int, n_cells: int) -> int:
    """Return how many to look up: in a small data set many are not near, so at most a twentieth of it, or three."""
    return min(wanted, max(_FEWEST_NEIGHBORS, n_cells // _CELLS_PER_NEIGHBOR))


def nearest_neighbors(rep: np.ndarray, n_neighbors: int, random_state: int) -> Neighbors:
    """Find the nearest cells of each cell, itself left out.

    Of many cells a random part are candidates, and fewer of these are looked up: those that are as near as the wanted
    number of all cells are. Of so many, a training draws each a few times, and needs no more of its neighbours.
    """
    n, k = len(rep), min(n_neighbors, len(rep) - 1)
    if n <= _MANY_CELLS:
        return Neighbors.from_matrix(NearestNeighbors(n_neighbors=k).fit(rep).kneighbors_graph())
    candidates = sample_of_each(np.zeros(n, dtype=np.int64), _CANDIDATES, random_state)
    k = min(k, max(_FEWEST_NEIGHBORS, round(k * len(candidates) / n)))
    search = NearestNeighbors(n_neighbors=min(k + 1, len(candidates))).fit(rep[candidates])
    found = candidates[search.kneighbors(rep, return_distance=False)]
    others = found != np.arange(n)[:, None]
    indptr = np.concatenate([[0], np.cumsum(others.sum(axis=1))])
    return Neighbors(torch.from_numpy(indptr), torch.from_numpy(found[others]))


def mutual_neighbors(rep: np.ndarray, batches: np.ndarray, n_neighbors: int, random_state: int) -> Neighbors:
    """Find, for each cell, the cells of other batches that count it among their nearest as it does them.

    Mutual nearest neighbours (Haghverdi et al. 2018) by the angle between cells, seen from the mean cell. Of a cell's
    partners only those count that are at most twice as far as the nearest: where a batch has fewer cells of a
    type than neighbours are looked up, the next best type would be among them.

    Of many cells a random part are candidates: one of a pair's cells is always of that part. Every cell may have
    partners, but is compared with a bounded number of others.
    """
    names, codes = np.unique(batches, return_inverse=True)
    centred = rep - rep.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + np.finfo(np.float32).eps
    k = max(3, min(n_neighbors, _PAIRS_PER_CELL // max(1, len(names) - 1)))
    everyone = candidates = np.arange(len(rep))
    if len(rep) > _MANY_CELLS:
        candidates = sample_of_each(codes, _CANDIDATES, random_state)
    forth = _across(centred, codes, everyone, candidates, k)
    if len(candidates) == len(rep):
        mutual = forth.multiply(forth.T > 0).tocsr()
    else:
        mutual = forth.multiply(_across(centred, codes, candidates, everyone, k).T > 0).tocsr()
        mutual = mutual.maximum(mutual.T).tocsr()
    counts = np.diff(mutual.indptr)
    nearest = np.minimum.reduceat(mutual.data, mutual.indptr[:-1][counts > 0]) if mutual.nnz else mutual.data
    mutual.data *= mutual.data <= _TWICE_AS_FAR * np.repeat(nearest, counts[counts > 0])
    mutual.eliminate_zeros()
    return Neighbors.from_matrix(mutual)


def sample_of_each(batches: np.ndarray, n_cells: int, random_state: int) -> NDArray[np.int64]:
    """Draw about that many cells, of each batch its share; all cells where there are no more."""
    if len(batches) <= n_cells:
        return np.arange(len(batches))
    rng = np.random.default_rng(random_state)
    chosen = []
    for batch in np.unique(batches):
        cells = np.flatnonzero(batches == batch)
        wanted = max(_FEWEST, round(len(cells) * n_cells / len(batches)))
        chosen.append(rng.choice(cells, min(wanted, len(cells)), replace=False))
    return np.sort(np.concatenate(chosen))


def _across(
    rep: np.ndarray, codes: np.ndarray, own: NDArray[np.int64], others: NDArray[np.int64], k: int
) -> sparse.csr_array:
    """Distances from each of its own cells to the `k` nearest of the others in every batch that is not the cell's.

    With so many batches that these are more than `_PAIRS_PER_CELL`, to the nearest of them.
    """
    names = np.unique(codes)
    batches = [others[codes[others] == name] for name in names]
    searches = [NearestNeighbors(n_neighbors=min(k, len(inside))).fit(rep[inside]) for inside in batches]
    stops = np.cumsum([search.n_neighbors for search in searches])
    # All cells at a time, or so few that what is looked up of them before the nearest are taken needs little memory.
    step = len(own) if stops[-1] <= _PAIRS_PER_CELL + k else max(1, _PAIRS_AT_A_TIME // int(stops[-1]))
    rows, columns, distances = [], [], []
    for start in range(0, len(own), step):
        part = own[start : start + step]
        distance = np.full((len(part), stops[-1]), np.inf)
        column = np.zeros(distance.shape, dtype=np.int32)
        for name, inside, search, stop in zip(names, batches, searches, stops, strict=True):
            outside, slot = codes[part] != name, slice(stop - search.n_neighbors, stop)
            if outside.any():
                distance[outside, slot], place = search.kneighbors(rep[part[outside]])
                column[outside, slot] = inside[place]
        if stops[-1] > _PAIRS_PER_CELL + k:
            nearest = np.argpartition(distance, _PAIRS_PER_CELL, axis=1)[:, :_PAIRS_PER_CELL]
            distance, column = (np.take_along_axis(table, nearest, axis=1) for table in (distance, column))
        found = np.isfinite(distance)  # of its own batch none was looked up
        rows.append(np.repeat(part.astype(np.int32), found.sum(axis=1)))
        columns.append(column[found])
        distances.append(distance[found])
    places = (np.concatenate(rows), np.concatenate(columns))
    distance = np.concatenate(distances) + np.finfo(np.float32).eps  # cells at the same place are neighbours, too
    return sparse.csr_array((distance, places), shape=(len(rep), len(rep)))
