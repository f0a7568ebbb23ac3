"""Where rows come from: a matrix, moved to the device as it is, handed out as dense minibatches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from scipy import sparse

from scclr_ext.engine.device import free_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_SHARE = 0.5
"""Of the memory that a device has free; the rest is for the networks and their minibatches."""


class Source(Protocol):
    """Hands out minibatches."""

    shape: tuple[int, int]

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index` as a dense float32 tensor ``(cells, genes)`` on the device."""


class Rows(Protocol):
    """A matrix ``(cells, genes)`` that may be anywhere and hands out rows."""

    shape: tuple[int, int]

    def read(self, cells: NDArray[np.int64]) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
        """Return the rows at `cells`, which ascend, as float32, dense or sparse rows."""


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


class DenseSource:
    """Rows of a dense matrix, shape ``(cells, genes)``; on the CPU float32 values are shared, not copied."""

    def __init__(self, matrix: np.ndarray, device: torch.device, *, pinned: bool = False) -> None:
        self.shape = matrix.shape
        self.device = device
        self._values = _tensor(np.asarray(matrix, dtype=np.float32), device, pinned=pinned)

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`."""
        return self._values.index_select(0, moved(index, self.device))


class SparseSource:
    """Rows of a sparse matrix that SciPy holds; only minibatches become dense. Its values are shared, not copied."""

    def __init__(self, matrix: sparse.csr_matrix | sparse.csr_array) -> None:
        self.shape = matrix.shape
        self._matrix = matrix.astype(np.float32, copy=False)

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`."""
        return torch.from_numpy(self._matrix[index.numpy()].toarray())


class SparseDeviceSource:
    """Rows of a sparse matrix that stays sparse on a device: what SciPy does on the CPU, several times faster there."""

    def __init__(
        self, matrix: sparse.csr_matrix | sparse.csr_array, device: torch.device, *, pinned: bool = False
    ) -> None:
        self.shape = matrix.shape
        self.device = device
        # On the host, which then knows how many values a minibatch has without waiting for the device.
        self._indptr = _tensor(matrix.indptr.astype(np.int64, copy=False), torch.device("cpu"))
        self._indices = _tensor(matrix.indices, device, pinned=pinned)
        self._values = _tensor(matrix.data.astype(np.float32, copy=False), device, pinned=pinned)

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`."""
        n_genes = self.shape[1]
        start = self._indptr[index]
        count = self._indptr[index + 1] - start
        total = int(count.sum())
        # Places of the stored values: each row's run starts at `start`, the runs follow one another.
        shift, count = (moved(t, self.device) for t in (start - (count.cumsum(0) - count), count))
        row = torch.repeat_interleave(torch.arange(len(index), device=self.device), count, output_size=total)
        place = torch.arange(total, device=self.device) + shift[row]
        out = torch.zeros(len(index), n_genes, device=self.device)
        out.view(-1)[row * n_genes + self._indices[place]] = self._values[place]
        return out


class FetchedSource:
    """Rows of a matrix that may be anywhere, read each time they are asked for, each row once.

    Sparse rows are sparse until they are on the device.
    """

    def __init__(self, matrix: Rows, device: torch.device) -> None:
        self.shape = matrix.shape
        self.device = device
        self._matrix = matrix

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`."""
        cells, back = index.unique(return_inverse=True)
        return _on_device(self._matrix.read(cells.numpy()), self.device, pinned=self.device.type == "cuda").rows(back)


def as_source(matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array | Rows, device: torch.device) -> Source:
    """Wrap a matrix of shape ``(cells, genes)`` for `device`, which holds it whole if that leaves enough memory."""
    if not isinstance(matrix, np.ndarray) and not sparse.issparse(matrix):
        return FetchedSource(matrix, device)
    if _bytes(matrix) > _SHARE * free_memory(device):
        return FetchedSource(InMemory(matrix), device)
    return _on_device(matrix, device)


def _on_device(
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array, device: torch.device, *, pinned: bool = False
) -> Source:
    if isinstance(matrix, np.ndarray):
        return DenseSource(matrix, device, pinned=pinned)
    return SparseSource(matrix) if device.type == "cpu" else SparseDeviceSource(matrix, device, pinned=pinned)


def _bytes(matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array) -> int:
    values = matrix if isinstance(matrix, np.ndarray) else matrix.data
    return 4 * values.size + (0 if isinstance(matrix, np.ndarray) else matrix.indices.nbytes)


def moved(values: Tensor, device: torch.device) -> Tensor:
    """Copy a few values to the device without waiting for what it is doing."""
    # CUDA copies what is not pinned before it returns, and need not be waited for. Apple's GPUs may read it too late.
    return values.to(device, non_blocking=device.type == "cuda")


def _tensor(array: np.ndarray, device: torch.device, *, pinned: bool = False) -> Tensor:
    # torch warns of arrays that may not be written to
    tensor = torch.from_numpy(array) if array.flags.writeable else torch.tensor(array)
    # From pinned memory the copy goes on while the next rows are looked up; pinning it all would hold it twice.
    return tensor.pin_memory().to(device, non_blocking=True) if pinned else tensor.to(device)
