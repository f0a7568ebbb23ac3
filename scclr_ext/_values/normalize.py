"""Bringing cells to one library size, and taking logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


_ROWS = 2**14
"""Cells whose factors are spread over their values at a time."""


class SizeFactors(NamedTuple):
    """What each cell is multiplied by, float32 of shape ``(cells,)``, and the library size that gives them all."""

    factor: NDArray[np.float32]
    target_sum: float


def library_sizes(values: np.ndarray | sparse.csr_matrix | sparse.csr_array) -> NDArray[np.float64]:
    """Sum of each cell, shape ``(cells,)``."""
    return np.asarray(values.sum(axis=1, dtype=np.float64)).ravel()


def size_factors(sizes: NDArray[np.float64], target_sum: float | None) -> SizeFactors:
    """Divide one library size (None: the median of cells that are not empty) by each; empty cells stay empty."""
    filled = sizes > 0
    if target_sum is None:
        target_sum = float(np.median(sizes[filled])) if filled.any() else 1.0
    factor = np.divide(target_sum, sizes, out=np.ones_like(sizes), where=filled)
    return SizeFactors(factor.astype(np.float32), target_sum)


def log_normalize(values: np.ndarray | sparse.csr_matrix | sparse.csr_array, factor: NDArray[np.float32]) -> None:
    """Multiply each cell, float32 ``(cells, genes)``, by its factor and take logarithms of one plus that, in place.

    Scanpy's own functions warn of empty cells, and its log1p knows no sparse arrays.
    """
    if isinstance(values, np.ndarray):
        values *= factor[:, None]
        np.log1p(values, out=values)
    else:
        for start in range(0, len(factor), _ROWS):
            starts = values.indptr[start : start + _ROWS + 1]
            values.data[starts[0] : starts[-1]] *= np.repeat(factor[start : start + _ROWS], np.diff(starts))
        np.log1p(values.data, out=values.data)
