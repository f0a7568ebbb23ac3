"""Rows onto the unit sphere, where contrastive losses compare them."""

from __future__ import annotations

import numpy as np


def l2_normalize(matrix: np.ndarray) -> np.ndarray:
    """Rows of length 1 in double precision; a row of zeros has no direction and stays zero."""
    rows = matrix.astype(np.float64)
    # Dividing by the largest entry first keeps squares of very large or very small numbers representable.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows /= np.where(largest > 0, largest, 1)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    rows /= np.where(length > 0, length, 1)
    return rows
