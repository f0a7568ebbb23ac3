"""Some of the genes, from whatever says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import names

if TYPE_CHECKING:
    from numpy.typing import NDArray


def gene_mask(var: pd.DataFrame, mask: object, *, argument: str, hint: str = "") -> NDArray[np.bool_]:
    """Return which genes are meant: those that a column of `var` or an array marks, or all of them.

    Parameters
    ----------
    var
        Genes.
    mask
        Name of a column, or one entry per gene: truth values, or 0 and 1. A series goes by the names of the genes.
        None means all genes.
    argument
        What the user calls it.
    hint
        What to do where the column is missing.

    Raises
    ------
    KeyError
        Where there is no such column.
    ValueError
        Where it marks nothing.
    """
    if mask is None:
        return np.ones(len(var), dtype=bool)
    where = f"`{argument}`"
    if isinstance(mask, str):
        where = f"adata.var[{mask!r}] (`{argument}`)"
        if mask not in var:
            msg = f"`{argument}={mask!r}` is not a column of adata.var; found {names(var)}.{hint}"
            raise KeyError(msg)
        mask = var[mask]
    values = np.asarray(_in_order(mask, var.index))
    if values.shape != (len(var),):
        msg = f"{where} must be boolean with one entry per gene ({len(var)}); found the shape {values.shape}."
        raise ValueError(msg)
    marks = [None if pd.isna(mark) else mark for mark in pd.unique(values)]
    odd = [mark for mark in marks if isinstance(mark, str) or mark not in (0, 1)]  # 0 is False, 1 is True
    if odd:
        msg = f"{where} must be boolean, True or False for every gene; found {odd[0]!r} ({values.dtype})."
        raise ValueError(msg)
    return values.astype(bool)


def _in_order(mask: object, genes: pd.Index) -> object:
    """Bring a series that is labelled by these genes, in another order, to theirs; other values stay as they are."""
    if not isinstance(mask, pd.Series) or len(mask) != len(genes) or not mask.index.is_unique:
        return mask
    return mask.reindex(genes) if mask.index.isin(genes).all() else mask
