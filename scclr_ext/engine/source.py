"""Where rows come from: a matrix, moved to the device as it is, handed out as dense minibatches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from scipy import sparse
    from torch import Tensor

_CHUNK = 4_000_000


class Source(Protocol):
    """Hands out minibatches."""

    shape: tuple[int, int]

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index` as a dense float32 tensor ``(cells, genes)`` on the device."""


class DenseSource:
    """Rows of a dense matrix, shape ``(cells, genes)``."""

    def __init__(self, matrix: np.ndarray, device: torch.device) -> None:
        self.shape = matrix.shape
        self.device = device
        self._values = torch.tensor(np.asarray(matrix, dtype=np.float32), device=device)

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`."""
        return self._values[index.to(self.device)]


class SparseSource:
    """Rows of a sparse matrix; it stays sparse on the device, only minibatches become dense."""

    def __init__(self, matrix: sparse.csr_matrix | sparse.csr_array, device: torch.device) -> None:
        self.shape = matrix.shape
        self.device = device
        self._indptr = torch.tensor(matrix.indptr.astype(np.int64), device=device)
        self._indices = torch.tensor(matrix.indices, device=device)
        self._values = torch.tensor(matrix.data.astype(np.float32, copy=False), device=device)

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`."""
        n_genes = self.shape[1]
        index = index.to(self.device)
        start = self._indptr[index]
        count = self._indptr[index + 1] - start
        # Places of the stored values: each row's run starts at `start`, the runs follow one another.
        row = torch.repeat_interleave(torch.arange(len(index), device=self.device), count)
        shift = (start - (count.cumsum(0) - count))[row]
        place = torch.arange(len(row), device=self.device) + shift
        out = torch.zeros(len(index), n_genes, device=self.device)
        out.view(-1)[row * n_genes + self._indices[place]] = self._values[place]
        return out


class Subset:
    """Some of the rows of another source, shape ``(len(cells), genes)``."""

    def __init__(self, source: Source, cells: Tensor) -> None:
        self.shape = (len(cells), source.shape[1])
        self._source = source
        self._cells = cells

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index` of the subset."""
        return self._source.rows(self._cells[index])


def as_source(matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array, device: torch.device) -> Source:
    """Wrap a matrix of shape ``(cells, genes)`` for `device`."""
    if isinstance(matrix, np.ndarray):
        return DenseSource(matrix, device)
    return SparseSource(matrix, device)


def gene_moments(
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (with ``n - 1``, as scanpy's `scale`) of each gene, float32, shape ``(genes,)``."""
    n, n_genes = matrix.shape
    if isinstance(matrix, np.ndarray):
        mean, variance = matrix.mean(axis=0, dtype=np.float64), matrix.var(axis=0, dtype=np.float64)
    else:
        total, squares = np.zeros(n_genes), np.zeros(n_genes)
        for start in range(0, matrix.nnz, _CHUNK):  # in double precision, a piece at a time
            genes = matrix.indices[start : start + _CHUNK]
            values = matrix.data[start : start + _CHUNK].astype(np.float64)
            total += np.bincount(genes, weights=values, minlength=n_genes)
            squares += np.bincount(genes, weights=values**2, minlength=n_genes)
        mean = total / n
        variance = np.maximum(squares / n - mean**2, 0)
    std = np.sqrt(variance * (n / max(n - 1, 1)))
    return mean.astype(np.float32), std.astype(np.float32)
