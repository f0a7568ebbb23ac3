"""Mean and variance of each gene, from blocks of rows, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse

_ENTRIES, _STORED = 2**24, 2**22
_RESOLUTION = 1e-7
_LEAST_SD = 1e-12
"""No gene differs by so little but by rounding, and single precision has no room for what such a division gives."""


def block_rows(n_genes: int) -> int:
    """Rows that are read and worked on at a time: many where genes are few, so that a block stays small even dense."""
    return int(np.clip(_ENTRIES // max(n_genes, 1), 512, 2**14))


def row_blocks(
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array,
) -> Iterator[np.ndarray | sparse.csr_matrix | sparse.csr_array]:
    """Yield a matrix ``(cells, genes)`` in blocks of rows, larger ones where little is stored."""
    n_cells, n_genes = matrix.shape
    step = block_rows(n_genes)
    if not isinstance(matrix, np.ndarray):
        step = max(step, n_cells * _STORED // max(matrix.nnz, 1))
    for start in range(0, n_cells, step):
        yield matrix[start : start + step]


class Moments:
    """Number of cells and, per gene, mean, variance and cells with a value, for each group of cells.

    Blocks are joined with the update of Chan, Golub & LeVeque (1983): sums of squares about the mean, all positive,
    are added in double precision, so that nothing is lost however many cells there are. The same blocks give the same
    bits, wherever they come from.

    Parameters
    ----------
    n_genes
        Number of genes.
    n_groups
        Number of groups of cells (batches).
    """

    def __init__(self, n_genes: int, n_groups: int = 1) -> None:
        self.n = np.zeros(n_groups, dtype=np.int64)
        self.seen = np.zeros((n_groups, n_genes), dtype=np.int64)
        self.mean = np.zeros((n_groups, n_genes))
        self._squares = np.zeros((n_groups, n_genes))

    def add(
        self, block: np.ndarray | sparse.csr_matrix | sparse.csr_array, codes: NDArray[np.int64] | None = None
    ) -> None:
        """Take in some cells, shape ``(cells, genes)``, and the group of each."""
        codes = np.zeros(block.shape[0], dtype=np.int64) if codes is None else codes
        found, local = np.unique(codes, return_inverse=True)
        n, shape = np.bincount(local), (len(found), block.shape[1])
        if isinstance(block, np.ndarray):
            seen, mean, squares = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(shape)
            for i in range(len(found)):
                values = block if len(found) == 1 else block[local == i]
                seen[i] = np.count_nonzero(values, axis=0)
                mean[i] = values.mean(axis=0, dtype=np.float64)
                squares[i] = np.square(values - mean[i]).sum(axis=0)
        else:
            values, place = block.data.astype(np.float64), block.indices.astype(np.int64)
            if len(found) > 1:
                place += np.repeat(local * shape[1], np.diff(block.indptr))
            if not values.all():
                values, place = values[values != 0], place[values != 0]
            size = int(np.prod(shape))
            seen = np.bincount(place, minlength=size).reshape(shape)
            mean = np.bincount(place, values, size).reshape(shape) / n[:, None]
            around = np.square(values - mean.ravel()[place])
            squares = np.bincount(place, around, size).reshape(shape) + (n[:, None] - seen) * mean**2
        self.seen[found] += seen
        self._join(found, n, mean, squares)

    def _join(self, group: np.ndarray, n: np.ndarray, mean: np.ndarray, squares: np.ndarray) -> None:
        before, after = self.n[group][:, None], (self.n[group] + n)[:, None]
        shift = mean - self.mean[group]
        self._squares[group] += squares + shift**2 * (before * n[:, None] / after)
        self.mean[group] += shift * (n[:, None] / after)
        self.n[group] = after[:, 0]

    def pooled(self) -> Moments:
        """Return the moments over all groups as those of one."""
        whole = Moments(self.mean.shape[1])
        whole.n, whole.seen = self.n.sum(keepdims=True), self.seen.sum(axis=0, keepdims=True)
        share = (self.n / max(whole.n[0], 1))[:, None]
        whole.mean = (share * self.mean).sum(axis=0, keepdims=True)
        around = self._squares + self.n[:, None] * (self.mean - whole.mean) ** 2
        whole._squares = around.sum(axis=0, keepdims=True)
        return whole

    @property
    def variance(self) -> np.ndarray:
        """Variance with ``n - 1``, shape ``(groups, genes)``; zero for a group of one cell.

        Also zero where it is below what single precision can tell from a gene that is the same in all cells.
        """
        variance = self._squares / np.maximum(self.n - 1, 1)[:, None]
        return np.where(variance > (_RESOLUTION * self.mean) ** 2, variance, 0.0)


def gene_moments(matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (with ``n - 1``, as scanpy's `scale`) of each gene, float32, shape ``(genes,)``."""
    moments = Moments(matrix.shape[1])
    for block in row_blocks(matrix):
        moments.add(block)
    return mean_and_sd(moments)


def mean_and_sd(moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the cells of the first group, float32, shape ``(genes,)``."""
    sd = np.sqrt(moments.variance[0])
    sd[sd < _LEAST_SD] = 0.0
    return moments.mean[0].astype(np.float32), sd.astype(np.float32)
