"""To which library size log-normalised cells were brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext import _keys
from scclr_ext._anndata import to_memory

if TYPE_CHECKING:
    from anndata import AnnData

_CELLS = 256
_FEWEST = 3
_TOLERANCE = 1e-3


def find_target_sum(adata: AnnData, matrix: Any, layer: str | None) -> float:
    """Library size of the values in `matrix` (all genes), from what preprocessing left or else from themselves.

    Returns
    -------
    The size, or 0 where it is not known.
    """
    recipe = adata.uns.get(_keys.PREPROCESS_UNS)
    if layer is None and isinstance(recipe, Mapping):
        for name in ("library_size", "target_sum"):
            size = recipe.get(name, 0)
            if isinstance(size, int | float | np.number) and size > 0:
                return float(size)
    return measure_target_sum(matrix)


def measure_target_sum(matrix: Any) -> float:
    """Undo the logarithm and add up: where all cells agree, that is the library size they were brought to; else 0.

    Cells do not agree where genes were left out after the normalisation, or where there was none.

    Parameters
    ----------
    matrix
        Logarithms ``(cells, genes)``; a few rows of it are read, wherever it lives.
    """
    rows = np.unique(np.linspace(0, matrix.shape[0] - 1, _CELLS).astype(int))
    values: Any = to_memory(matrix[rows], where="adata")
    dense = values.toarray() if sparse.issparse(values) else values
    with np.errstate(over="ignore"):
        size = np.expm1(dense, dtype=np.float64).sum(axis=1)
    size = size[size > 0]
    if len(size) < _FEWEST or not np.isfinite(size).all():
        return 0.0
    typical = float(np.median(size))
    return round(typical, 2) if np.ptp(size) < _TOLERANCE * typical else 0.0
