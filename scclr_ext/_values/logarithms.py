"""What logarithms of some cells say: the library sizes they were brought to, and what lies beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext._values.matrix import to_memory
from scclr_ext._values.normalize import library_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS = 256
FEWEST = 3
_FEWEST_PER_SIZE = 8
SAME_SIZE = 1e-3
"""Library sizes that differ by less are taken for one: they may have been added up in another order."""
BASES = {"e": 1.0, "2": float(np.log(2)), "10": float(np.log(10))}


def some_rows(n_cells: int, *, together: bool = False) -> NDArray[np.int64]:
    """Name a few rows: spread over all of them, or the first ones, which lie together where they are not in memory."""
    if together:
        return np.arange(min(_CELLS, n_cells))
    return np.unique(np.linspace(0, n_cells - 1, _CELLS).astype(np.int64))


def some_cells(matrix: Any, where: str, *, together: bool = False) -> Any:
    """Read those rows, wherever they live, as float32; `where` names them for a message."""
    return to_memory(matrix[some_rows(matrix.shape[0], together=together)], where=where)


def linear_sizes(cells: Any) -> NDArray[np.float64]:
    """Undo natural logarithms ``(cells, genes)`` and add up each cell."""
    return library_sizes(undone(cells, "e"))


def mean_size(cells: Any) -> float:
    """Undo natural logarithms and average the sums of the cells that have any; 0 where none has."""
    sizes = linear_sizes(cells)
    return float(sizes[sizes > 0].mean()) if (sizes > 0).any() else 0.0


def common_size(sizes: NDArray[np.float64]) -> float:
    """Library size that all cells have, but for empty ones: the one they were brought to; 0 where they differ.

    They differ where genes were left out after the normalisation, or where there was none.
    """
    sizes = sizes[sizes > 0]
    if len(sizes) < FEWEST or not np.isfinite(sizes).all():
        return 0.0
    typical = float(np.median(sizes))
    return round(typical, 2) if np.ptp(sizes) < SAME_SIZE * typical else 0.0


def check_alike(cells: Any, where: str) -> None:
    """Refuse counts of some cells beside logarithms of others: samples that were joined before all were normalised.

    Parameters
    ----------
    cells
        Some cells, of all genes, float32.
    where
        Where they are from, for the message.

    Raises
    ------
    ValueError
        Where some cells are whole numbers, and what the others are logarithms of adds up to one library size.
    """
    rows = cells if sparse.issparse(cells) else sparse.csr_matrix(cells)
    odd = abs(rows - rows.rint()).max(axis=1).toarray().ravel() > 0
    filled = np.diff(rows.tocsr().indptr) > 0
    if odd.any() and (filled & ~odd).any() and common_size(linear_sizes(rows[odd])):
        n_counts = int((filled & ~odd).sum())
        msg = (
            f"{where} holds counts of some cells ({n_counts} of {rows.shape[0]} that were looked at) and "
            "logarithms of others: samples that were joined before all were normalised. Give the counts of all."
        )
        raise ValueError(msg)


def several_sizes(cells: Any) -> list[float]:
    """Library sizes that samples were brought to apart from one another; empty where it was one, or cannot be told.

    Parameters
    ----------
    cells
        Logarithms of some cells, of all genes, float32.
    """
    sizes = np.sort(linear_sizes(cells))
    sizes = sizes[sizes > 0]
    if not len(sizes) or not np.isfinite(sizes).all():
        return []
    groups = np.split(sizes, np.flatnonzero(np.diff(sizes) > SAME_SIZE * sizes[:-1]) + 1)
    common = [common_size(group) for group in groups]
    return common if 1 < len(common) <= len(sizes) / _FEWEST_PER_SIZE and all(common) else []


def normalized_apart(where: str, sizes: list[float]) -> str:
    """Word the warning of what :func:`several_sizes` found."""
    shown = ", ".join(f"{size:,.0f}" for size in sizes[:3]) + (", ..." if len(sizes) > 3 else "")
    return (
        f"{where} holds logarithms of cells that were brought to {len(sizes)} library sizes ({shown}): samples that "
        "were normalised apart, which tells them from one another. Give the counts (perhaps in a `layer`), or "
        "normalise all cells to one size."
    )


def undone(cells: Any, base: str) -> Any:
    """Take the logarithm away, in double precision; what overflows is infinite."""
    values = cells.astype(np.float64)
    stored = stored_values(values)
    with np.errstate(over="ignore"):
        np.expm1(stored * BASES[base], out=stored)
    return values


def stored_values(values: Any) -> NDArray[Any]:
    """Return what a matrix stores, sparse or dense: a view, to be changed in place."""
    return values.data if sparse.issparse(values) else values
