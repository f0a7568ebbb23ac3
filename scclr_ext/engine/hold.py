"""Which rows of a matrix are held in memory: all that are asked for, where they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scclr_ext.engine.moments import block_rows
from scclr_ext.engine.prefetch import prefetch
from scclr_ext.engine.source import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    from scclr_ext.engine.source import Rows


_OF_EACH_GROUP, _MOST_ROWS = 8, 2**12


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
    """Put blocks of rows, all dense or all sparse, under one another; `parts` is empty afterwards.

    Each block is let go when it is copied, so that the memory needed is that of the rows, not twice that.
    """
    if len(parts) == 1:
        return parts.pop()
    kind: Any = type(parts[0])
    dtype, n_genes = np.result_type(*(part.dtype for part in parts)), parts[0].shape[1]
    if issubclass(kind, np.ndarray):
        rows = np.empty((sum(map(len, parts)), n_genes), dtype=dtype)
        for start, part in _taken(parts, len):
            rows[start : start + len(part)] = part
        return rows
    counts: list[Any] = [np.diff(part.indptr) for part in parts if not isinstance(part, np.ndarray)]
    indptr = np.cumsum(np.concatenate([[0], *counts]), dtype=np.int64)
    place = np.int32 if max(indptr[-1], n_genes) <= np.iinfo(np.int32).max else np.int64
    data, indices = np.empty(indptr[-1], dtype=dtype), np.empty(indptr[-1], dtype=place)
    for start, part in _taken(parts, lambda part: part.nnz):
        stop = start + part.nnz
        data[start:stop], indices[start:stop] = part.data[: part.nnz], part.indices[: part.nnz]
    return kind((data, indices, indptr.astype(place)), shape=(len(indptr) - 1, n_genes))


def _taken(parts: list[Any], size: Callable[[Any], int]) -> Iterator[tuple[int, Any]]:
    """Take the blocks out of the list, first to last, each with what the sizes before it add up to."""
    start = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        yield start, part
        start += size(part)
