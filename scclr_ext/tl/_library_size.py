"""To which library size log-normalised cells were brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._logarithms import SAME_SIZE, common_size, linear_sizes, some_cells
from scclr_ext._matrix import name_of

if TYPE_CHECKING:
    from anndata import AnnData


def find_target_sum(adata: AnnData, matrix: Any, layer: str | None) -> float:
    """Library size of the values in `matrix` (all genes), from what preprocessing left or else from themselves.

    Returns
    -------
    The size, or 0 where it is not known.
    """
    found = common_size(linear_sizes(some_cells(matrix, name_of(layer))))
    recipe = adata.uns.get(_keys.PREPROCESS_UNS)
    if layer is None and isinstance(recipe, Mapping):
        for name in ("library_size", "target_sum"):
            size = recipe.get(name, 0)
            if isinstance(size, int | float | np.number) and size > 0:
                # Where values were normalised anew since, they say so themselves, unless genes were left out.
                return float(size) if not found or abs(found - size) <= SAME_SIZE * size else found
    return found
