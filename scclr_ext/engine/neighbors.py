"""Which other cells may stand in for a cell's second view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from torch import Generator, Tensor

_COMPONENTS = 50
_CLIP = 10.0
_PAIRS_PER_CELL = 300
"""Neighbours looked up per cell over all other batches; with many batches each contributes fewer."""
_HALF_AS_FAR_AGAIN = 1.5


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

    def draw(self, index: Tensor, probability: float, generator: Generator) -> Tensor:
        """Replace each cell, with the given probability, by a random cell of its list; without a list it stays."""
        start = self.indptr[index]
        count = self.indptr[index + 1] - start
        pick = start + (torch.rand(len(index), generator=generator) * count).long().clamp(max=(count - 1).clamp(min=0))
        replace = (torch.rand(len(index), generator=generator) < probability) & (count > 0)
        return torch.where(replace, self.indices[torch.where(replace, pick, 0)] if len(self.indices) else index, index)


class Components(NamedTuple):
    """Scores of the cells, shape ``(cells, components)``, and axes, ``(components, genes)``; float32."""

    rep: np.ndarray
    axes: np.ndarray


def principal_components(
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array, mean: np.ndarray, std: np.ndarray, random_state: int
) -> Components:
    """PCA of the standardised genes, clipped at 10; sparse stays sparse."""
    scale = np.where(std > 0, std, 1.0)
    limit = (_CLIP + mean / scale).astype(np.float32)
    if isinstance(matrix, np.ndarray):
        scaled = np.minimum(matrix / scale, limit)
    else:
        scaled = matrix.copy()
        scaled.data = np.minimum(matrix.data / scale[matrix.indices], limit[matrix.indices]).astype(np.float32)
    n_components = min(_COMPONENTS, *(n - 1 for n in matrix.shape))
    if n_components < 1 or not std.any():
        n_cells, n_genes = matrix.shape  # all cells are alike
        return Components(np.zeros((n_cells, 1), dtype=np.float32), np.zeros((1, n_genes), dtype=np.float32))
    random_state %= 2**32  # the largest seed scikit-learn takes
    # arpack centres sparse data without making it dense
    pca = PCA(n_components, svd_solver="arpack", random_state=random_state)
    rep = pca.fit_transform(scaled)
    return Components(rep.astype(np.float32), pca.components_.astype(np.float32))


def nearest_neighbors(rep: np.ndarray, n_neighbors: int) -> Neighbors:
    """Find the nearest cells of each cell (itself left out)."""
    k = min(n_neighbors, len(rep) - 1)
    return Neighbors.from_matrix(NearestNeighbors(n_neighbors=k).fit(rep).kneighbors_graph())


def mutual_neighbors(rep: np.ndarray, batches: np.ndarray, n_neighbors: int) -> Neighbors:
    """Find, for each cell, the cells of other batches that count it among their nearest as it does them.

    Mutual nearest neighbours (Haghverdi et al. 2018) by the angle between cells, after each batch was centred: a
    shift between batches plays no part, and a cell type found in one batch only has few partners or none. Of a cell's
    partners only those count that are at most half as far again as the nearest: where a batch has fewer cells of a
    type than neighbours are looked up, the next best type would be among them.
    """
    names, codes = np.unique(batches, return_inverse=True)
    centred = rep.copy()
    for code in range(len(names)):
        centred[codes == code] -= centred[codes == code].mean(axis=0)
    eps = np.finfo(np.float32).eps
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + eps
    n, k = len(rep), max(3, min(n_neighbors, _PAIRS_PER_CELL // max(1, len(names) - 1)))
    rows, columns, distances = [], [], []
    for code in range(len(names)):
        inside, outside = np.flatnonzero(codes == code), np.flatnonzero(codes != code)
        search = NearestNeighbors(n_neighbors=min(k, len(inside))).fit(centred[inside])
        distance, place = search.kneighbors(centred[outside])
        rows.append(np.repeat(outside, place.shape[1]))
        columns.append(inside[place].ravel())
        distances.append(distance.ravel())
    places = (np.concatenate(rows), np.concatenate(columns))
    directed = sparse.csr_array((np.concatenate(distances) + eps, places), shape=(n, n))
    mutual = directed.multiply(directed.T > 0).tocsr()
    counts = np.diff(mutual.indptr)
    nearest = np.minimum.reduceat(mutual.data, mutual.indptr[:-1][counts > 0]) if mutual.nnz else mutual.data
    mutual.data *= mutual.data <= _HALF_AS_FAR_AGAIN * np.repeat(nearest, counts[counts > 0])
    mutual.eliminate_zeros()
    return Neighbors.from_matrix(mutual)
