"""Matrices that are not in memory: files, zarr stores, dask arrays. Rows are read as they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext._values.matrix import to_memory
from scclr_ext._values.units import UnitsSoFar
from scclr_ext.engine.hold import pieces_of, stack
from scclr_ext.engine.moments import block_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

    Change = Callable[[Any, Any, NDArray[np.int64]], None]

_GAP = 100
"""So many rows in between are read and thrown away: files are stored in chunks, which hold about as many."""


def is_stored(matrix: Any) -> bool:
    """Whether rows of a matrix can be read without loading it; of columns stored one after the other they cannot."""
    in_memory = isinstance(matrix, np.ndarray) or sparse.issparse(matrix)
    return not in_memory and getattr(matrix, "format", "csr") == "csr" and hasattr(matrix, "__getitem__")


def by_columns(matrix: Any) -> bool:
    """Whether a matrix is outside memory, and reading a row takes as long as reading all of it."""
    return not (isinstance(matrix, np.ndarray) or sparse.issparse(matrix) or is_stored(matrix))


def check_copy(adata: AnnData, *, copy: bool) -> None:
    """Refuse early what AnnData cannot do.

    Raises
    ------
    ValueError
        Where a copy of data in a file is asked for.
    """
    if copy and (adata.isbacked or (is_stored(adata.X) and not hasattr(adata.X, "copy"))):
        msg = (
            "adata is backed by a file, which `copy=True` would load; use copy=False, or call adata.to_memory() first."
        )
        raise ValueError(msg)


class StoredRows:
    """Rows of a stored matrix as float32, checked, and normalised on the way where that was asked for.

    Parameters
    ----------
    matrix
        Sparse rows or a dense array ``(cells, genes)``: anndata's `CSRDataset`, a dataset of h5py or zarr, a dask
        array, or in memory.
    where
        Its name, for messages.
    genes
        Columns to take, in this order; None for all.

    Attributes
    ----------
    change
        Called with the values of the genes taken, those of all genes, and the cells: alters the former, in place.
    seen
        What the values were that have been read so far, before any change.
    """

    def __init__(self, matrix: Any, *, where: str, genes: NDArray[np.int64] | None = None) -> None:
        self.shape: tuple[int, int] = (matrix.shape[0], matrix.shape[1] if genes is None else len(genes))
        self.seen = UnitsSoFar()
        self.change: Change | None = None
        self._matrix = _DaskRows(matrix) if hasattr(matrix, "dask") else matrix
        self.where, self._genes = where, genes

    def read(self, cells: NDArray[np.int64]) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
        """Return the rows at `cells`, which ascend.

        Raises
        ------
        TypeError, ValueError
            Where the values are no finite numbers.
        """
        # All genes of some of the cells at a time: of a dense file they may be many times those that are wanted.
        return stack([self._prepare(piece) for piece in pieces_of(cells, self._matrix.shape[1])])

    def _prepare(self, cells: NDArray[np.int64]) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
        longest = block_rows(self._matrix.shape[1])
        everything = stack([self._fetch(run) for run in _runs(cells, longest)])
        values = to_memory(everything if self._genes is None else everything[:, self._genes], where=self.where)
        self.seen.add(values)
        if self.change is not None:
            self.change(values, everything, cells)
        return values

    def look(self) -> None:
        """Read cells until one has a value, so that `seen` says something."""
        for piece in pieces_of(np.arange(self.shape[0]), self.shape[1]):
            self.read(piece)
            if not self.seen.empty:
                return

    def _fetch(self, run: NDArray[np.int64]) -> Any:
        values = self._matrix[int(run[0]) : int(run[-1]) + 1]
        if isinstance(self._matrix, np.ndarray):
            values = values.copy()  # values are changed in place
        return values if values.shape[0] == len(run) else values[run - run[0]]


def _runs(cells: NDArray[np.int64], longest: int) -> Iterator[NDArray[np.int64]]:
    """Cut ascending cells where many rows lie in between, and where a run would span more rows than `longest`."""
    for run in np.split(cells, np.flatnonzero(np.diff(cells) > _GAP) + 1):
        yield from np.split(run, np.flatnonzero(np.diff((run - run[0]) // longest)) + 1)


class _DaskRows:
    """Rows of a dask array, computed a chunk at a time; the last chunk is kept."""

    def __init__(self, array: Any) -> None:
        self.shape = array.shape
        self._array = array
        self._bounds = np.concatenate([[0], np.cumsum(array.chunks[0])])
        self._last: tuple[int, Any] = (-1, None)

    def __getitem__(self, rows: slice) -> Any:
        first = int(np.searchsorted(self._bounds, rows.start, side="right")) - 1
        parts = []
        while self._bounds[first] < rows.stop:
            low, high = self._bounds[first : first + 2]
            # A copy: values are changed in place, and the chunk may be the user's own array.
            parts.append(self._chunk(first)[max(rows.start - low, 0) : min(rows.stop, high) - low].copy())
            first += 1
        return stack(parts)

    def _chunk(self, i: int) -> Any:
        number, values = self._last
        if number != i:
            values = self._array.blocks[i].compute()
            values = values if isinstance(values, np.ndarray) else values.tocsr()
            self._last = (i, values)
        return values
