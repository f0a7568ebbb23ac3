"""One pass over the values: what they are, how large the cells, how the genes vary."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scclr_ext._values.normalize import library_sizes, log_normalize, size_factors
from scclr_ext.engine.hold import pieces_of
from scclr_ext.engine.moments import Moments
from scclr_ext.engine.prefetch import prefetch
from scclr_ext.engine.source import InMemory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from scclr_ext._values.stored import StoredRows
    from scclr_ext._values.units import Units


class Gathered(NamedTuple):
    """What was found.

    Parameters
    ----------
    units
        Of the values.
    sizes
        Sum of each cell, shape ``(cells,)``.
    target_sum
        Library size that cells were brought to; 0 where they were taken as they are.
    moments
        Of the genes' normalised values, not logged.
    """

    units: Units
    sizes: NDArray[np.float64]
    target_sum: float
    moments: Moments


def normalize(
    values: np.ndarray | sparse.csr_matrix | sparse.csr_array,
    codes: NDArray[np.int64] | None,
    target_sum: float | None,
    *,
    units: Units,
) -> Gathered:
    """Log-normalise values in memory, in place unless they are logarithms already, and look at them.

    Parameters
    ----------
    values
        Float32, shape ``(cells, genes)``.
    codes
        Batch of each cell.
    target_sum
        Library size to bring the cells to; None for the median.
    units
        Of the values.
    """
    sizes = library_sizes(values)
    used = 0.0
    if units != "log-normalized":
        factor, used = size_factors(sizes, target_sum)
        log_normalize(values, factor)
    rows, moments = InMemory(values), Moments(values.shape[1], _n_groups(codes))
    for piece in pieces_of(np.arange(len(sizes)), values.shape[1], _n_groups(codes)):
        _add(moments, rows.read(piece), None if codes is None else codes[piece])
    return Gathered(units, sizes, used, moments)


def gather(
    rows: StoredRows, codes: NDArray[np.int64] | None, target_sum: float | None, *, description: str | None = None
) -> Gathered:
    """Look at stored values once; twice where the median library size is asked for, or they were not what they seemed.

    Parameters
    ----------
    rows
        All cells and genes.
    codes
        Batch of each cell.
    target_sum
        Library size to bring the cells to; None for the median.
    description
        Text of a progress bar.
    """
    rows.look()
    pieces = pieces_of(np.arange(rows.shape[0]), rows.shape[1], _n_groups(codes))
    sizes = np.zeros(rows.shape[0])
    while True:
        logged = rows.seen.units == "log-normalized"
        known = logged or target_sum is not None
        moments = Moments(rows.shape[1], _n_groups(codes))
        for piece, block in zip(pieces, prefetch(rows.read, pieces, description=description), strict=True):
            if rows.seen.units == "scaled":
                return Gathered("scaled", sizes, 0.0, moments)
            if (rows.seen.units == "log-normalized") != logged:
                break  # the first cells were no fair sample: once more
            sizes[piece] = library_sizes(block)
            if not known:
                continue
            if not logged:
                log_normalize(block, size_factors(sizes[piece], target_sum).factor)
            _add(moments, block, None if codes is None else codes[piece])
        else:
            if known:
                return Gathered(rows.seen.units, sizes, 0.0 if logged else float(target_sum or 0), moments)
            target_sum = size_factors(sizes, None).target_sum


def _n_groups(codes: NDArray[np.int64] | None) -> int:
    return 1 if codes is None else int(codes.max()) + 1


def _add(
    moments: Moments, logged: np.ndarray | sparse.csr_matrix | sparse.csr_array, codes: NDArray[np.int64] | None
) -> None:
    """Undo the logarithm as scanpy does, also where it has just been taken: the same values give the same bits."""
    if isinstance(logged, np.ndarray):
        moments.add(np.expm1(logged), codes)
    else:
        linear = logged.copy()
        np.expm1(linear.data, out=linear.data)
        moments.add(linear, codes)
