"""To which library size log-normalised cells were brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._values.logarithms import SAME_SIZE, common_size, linear_sizes, some_cells
from scclr_ext._values.matrix import name_of
from scclr_ext._values.stored import by_columns, is_stored

if TYPE_CHECKING:
    from anndata import AnnData


def find_target_sum(adata: AnnData, matrix: Any, layer: str | None) -> float:
    """Library size of the values in `matrix` (all genes), from what preprocessing left or else from themselves.

    Returns
    -------
    The size, or 0 where it is not known.
    """
    recorded = 0.0
    recipe = adata.uns.get(_keys.PREPROCESS_UNS)
    if layer is None and isinstance(recipe, Mapping):
        sizes = [recipe.get(name, 0) for name in ("library_size", "target_sum")]
        recorded = next((float(size) for size in sizes if isinstance(size, int | float | np.number) and size > 0), 0.0)
    if recorded and by_columns(matrix):
        return recorded
    found = common_size(linear_sizes(some_cells(matrix, name_of(layer), together=is_stored(matrix))))
    # Where values were normalised anew since, they say so themselves, unless genes were left out.
    return recorded if not found or abs(found - recorded) <= SAME_SIZE * recorded else found
