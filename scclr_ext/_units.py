"""What kind of numbers a matrix holds."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from scclr_ext._anndata import chunks

Units = Literal["counts", "log-normalized", "linear", "scaled"]

_LARGEST_LOG = 30.0
"""No logarithm (base 2 or natural) of an expression value comes near this; counts, RPKM and TPM go far beyond."""


def guess_units(matrix: Any) -> Units:
    """Tell counts, log-normalised, linear (RPKM, TPM, corrected counts) and scaled values apart.

    Parameters
    ----------
    matrix
        Finite float32 values ``(cells, genes)``, sparse or dense.

    Returns
    -------
    `"scaled"` where a value is negative, `"counts"` where all are whole numbers, `"linear"` where the largest is
    beyond any logarithm, else `"log-normalized"`.
    """
    smallest, largest, whole = 0.0, 0.0, True
    for part in chunks(matrix):
        smallest, largest = min(smallest, float(part.min())), max(largest, float(part.max()))
        whole = whole and bool((part == np.rint(part)).all())
    if smallest < 0:
        return "scaled"
    if whole:
        return "counts"
    return "linear" if largest > _LARGEST_LOG else "log-normalized"
