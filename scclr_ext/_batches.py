"""The batches of cells, from a column that can be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import check_column
from scclr_ext._categories import no_groups
from scclr_ext._records import embedding_params
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


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
            "first, for example: adata.obs['batch'] = adata.obs['a'].astype(str) + adata.obs['b'].astype(str)."
        )
        raise TypeError(msg)
    check_column(adata, batch_key, "batch_key")
    column = _column(adata, batch_key)
    missing = int(column.isna().sum())
    if missing:
        msg = f"adata.obs[{batch_key!r}] is missing for {missing} cells; fill it in or drop them."
        raise ValueError(msg)
    if (found := no_groups(column)) is not None:
        msg = (
            f"adata.obs[{batch_key!r}] (`batch_key`) holds {found}; give a column that says which cells were processed "
            "together."
        )
        raise ValueError(msg)
    return np.unique(_names(column), return_inverse=True)[1].astype(np.int64)


def batch_names(adata: AnnData, batch_key: str) -> list[str]:
    """Return what the batches of `batch_codes` are called, in the order of their codes."""
    return np.unique(_names(pd.Series(np.asarray(adata.obs[batch_key])))).tolist()


def recorded_batch_key(adata: AnnData, key: str) -> str | None:
    """Return the column of batches that the record of an embedding in `uns[key]` names.

    None where there is no record, it names none, or (with a warning) the column is gone or names no batches of these
    cells any more.
    """
    batch_key = str(embedding_params(adata.uns.get(key)).get("batch_key", ""))
    if not batch_key:
        return None
    if batch_key in adata.obs:
        column = _column(adata, batch_key)
        if not column.isna().any() and no_groups(column) is None:
            return batch_key
    warn(
        f"The embedding was told of the batches in adata.obs[{batch_key!r}] (says adata.uns[{key!r}]), which no longer "
        "says of each cell which batch it is of: they are taken for cells of one batch. Put the column back, or "
        "name another one where there is a `batch_key`."
    )
    return None


def _column(adata: AnnData, batch_key: str) -> pd.Series:
    column = adata.obs[batch_key]
    return column if isinstance(column, pd.Series) else pd.Series(np.asarray(column))  # read lazily


def _names(column: pd.Series) -> NDArray[np.object_]:
    return column.astype(str).to_numpy()
