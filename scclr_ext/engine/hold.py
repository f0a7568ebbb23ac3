"""Which rows of a matrix are held in memory: all that are asked for, where they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from scclr_ext.engine.moments import block_rows
from scclr_ext.engine.prefetch import prefetch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scclr_ext.engine.source import Rows


_OF_EACH_GROUP, _MOST_ROWS = 8, 2**12


class InMemory:
    """Rows of a matrix that is in memory."""

    def __init__(self, matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array) -> None:
        self.shape = matrix.shape
        self.matrix = matrix

    def read(self, cells: NDArray[np.int64]) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
        """Return the rows at `cells`, which ascend."""
        if len(cells) and cells[-1] - cells[0] == len(cells) - 1:
            return self.matrix[cells[0] : cells[-1] + 1]
        return self.matrix[cells]


class Held(NamedTuple):
    """Rows in memory, or None where they did not fit, and how many of them fit."""

    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array | None
    n_fitting: int


def hold(matrix: Rows, cells: NDArray[np.int64], max_bytes: float, *, progress: bool = False) -> Held:
    """Read rows into memory, unless they take more than `max_bytes`; what is there already is always held.

    Parameters
    ----------
    matrix
        Hands out rows.
    cells
        Rows to read, ascending.
    max_bytes
        Most that they may take.
    progress
        Show a progress bar.
    """
    if isinstance(matrix, InMemory):
        return Held(matrix.matrix if len(cells) == matrix.shape[0] else matrix.read(cells), len(cells))
    parts, size, n = [], 0, 0
    pieces = pieces_of(cells, matrix.shape[1])
    for part in prefetch(matrix.read, pieces, description="Reading" if progress else None):
        arrays = [part] if isinstance(part, np.ndarray) else [part.data, part.indices, part.indptr]
        size += sum(array.nbytes for array in arrays)
        if size > max_bytes:
            return Held(None, n)
        parts.append(part)
        n += part.shape[0]
    return Held(stack(parts), n)


def pieces_of(cells: NDArray[np.int64], n_genes: int, n_groups: int = 1) -> list[NDArray[np.int64]]:
    """Cut ascending cells to pieces of a size that is read at a time: with many groups larger, to have some of each."""
    step = max(block_rows(n_genes), min(_OF_EACH_GROUP * n_groups, _MOST_ROWS))
    return [cells[start : start + step] for start in range(0, len(cells), step)]


def stack(
    parts: list[np.ndarray | sparse.csr_matrix | sparse.csr_array],
) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
    """Put blocks of rows, all dense or all sparse, under one another."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sparse.vstack(parts, format="csr")
