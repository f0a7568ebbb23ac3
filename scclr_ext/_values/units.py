"""What kind of numbers a matrix holds."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from scclr_ext._values.matrix import chunks

Units = Literal["counts", "log-normalized", "linear", "scaled"]

_LARGEST_LOG = 30.0
"""No logarithm (base 2 or natural) of an expression value comes near this; counts, RPKM and TPM go far beyond."""


class UnitsSoFar:
    """What the values seen up to now are; for matrices that pass by in blocks."""

    def __init__(self) -> None:
        self._smallest, self._largest, self._whole = 0.0, 0.0, True

    def add(self, matrix: Any) -> None:
        """Look at finite float32 values ``(cells, genes)``, sparse or dense."""
        for part in chunks(matrix):
            self._smallest = min(self._smallest, float(part.min()))
            self._largest = max(self._largest, float(part.max()))
            self._whole = self._whole and bool((part == np.rint(part)).all())

    @property
    def empty(self) -> bool:
        """Whether all values were zero."""
        return self._smallest == self._largest == 0

    @property
    def units(self) -> Units:
        """What :func:`guess_units` says."""
        if self._smallest < 0:
            return "scaled"
        if self._whole:
            return "counts"
        return "linear" if self._largest > _LARGEST_LOG else "log-normalized"


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
    found = UnitsSoFar()
    found.add(matrix)
    return found.units


def check_not_scaled(units: Units, where: str) -> None:
    """Refuse scaled values; `where` names them in the message.

    Raises
    ------
    ValueError
        Where they are scaled.
    """
    if units == "scaled":
        msg = (
            f"{where} has negative values, so it was scaled or otherwise transformed. Give raw counts (perhaps in "
            "another `layer`), or log-normalised values of all genes (perhaps adata.raw.to_adata()), and run "
            "scclr_ext.pp.contrastive_preprocess on them."
        )
        raise ValueError(msg)
