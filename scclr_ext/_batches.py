"""The batches of cells, from a column that can be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import names

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_MOST_FRACTIONS = 30
_MOST_ALONE = 10
"""Cells that are alone in their batches: fewer may be all that there are, in a query for one."""


def batch_codes(adata: AnnData, batch_key: str) -> NDArray[np.int64]:
    """Return the batch of each cell as integers from 0.

    Raises
    ------
    TypeError
        Where `batch_key` is no name.
    KeyError
        Where the column is missing.
    ValueError
        Where a cell has no batch, or the column holds measurements or names of cells rather than batches.
    """
    if not isinstance(batch_key, str):
        msg = (
            f"`batch_key` must be the name of one column of adata.obs; found {batch_key!r}. Make one column of several "
            "first, for one: adata.obs['batch'] = adata.obs['a'].astype(str) + adata.obs['b'].astype(str)."
        )
        raise TypeError(msg)
    if batch_key not in adata.obs:
        msg = f"`batch_key={batch_key!r}` is not a column of adata.obs; found {names(adata.obs)}."
        raise KeyError(msg)
    column = adata.obs[batch_key]
    if not isinstance(column, pd.Series):  # read lazily
        column = pd.Series(np.asarray(column))
    missing = int(column.isna().sum())
    if missing:
        msg = f"adata.obs[{batch_key!r}] is missing for {missing} cells; fill it in or drop them."
        raise ValueError(msg)
    codes = np.unique(column.astype(str).to_numpy(), return_inverse=True)[1].astype(np.int64)
    _check_batches(column, codes, batch_key)
    return codes


def _check_batches(column: pd.Series, codes: NDArray[np.int64], batch_key: str) -> None:
    """Refuse what can be no batches: fractions of many values, and columns that leave most cells alone."""
    n_fractions = int((column.drop_duplicates() % 1 != 0).sum()) if column.dtype.kind == "f" else 0
    n_alone = int((np.bincount(codes) == 1).sum())
    if n_fractions > _MOST_FRACTIONS or n_alone > max(_MOST_ALONE, len(codes) / 2):
        found = f"a value of its own for {n_alone} of {len(codes)} cells"
        if n_fractions > _MOST_FRACTIONS:
            found = f"{n_fractions} different numbers with fractions, like a measurement"
        msg = (
            f"adata.obs[{batch_key!r}] (`batch_key`) holds {found}; give a column that says which cells were processed "
            "together."
        )
        raise ValueError(msg)
