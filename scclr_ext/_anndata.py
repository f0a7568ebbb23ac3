"""Small things that many functions do with an AnnData: look up, check, write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData


def check_adata(adata: object) -> None:
    """Refuse anything but an AnnData.

    Raises
    ------
    TypeError
        Where it is something else.
    """
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        msg = f"`adata` is a {type(adata).__name__}; give an AnnData."
        raise TypeError(msg)


def frame(table: Any) -> pd.DataFrame:
    """Return `obs` or `var` as it is, or read it where it was not yet read."""
    return table if isinstance(table, pd.DataFrame) else table.to_memory()


def check_column(adata: AnnData, key: object, argument: str, *, whose: str = "adata.", hint: str = "") -> None:
    """Refuse what names no column of `obs`; `whose` and `hint` go into the message.

    Raises
    ------
    TypeError
        Where it is no name.
    KeyError
        Where there is no such column.
    """
    if not isinstance(key, str):
        msg = f"`{argument}` must be the name of one column of {whose}obs; found {key!r}."
        raise TypeError(msg)
    if key not in adata.obs:
        msg = f"`{argument}={key!r}` is not a column of {whose}obs; found {names(adata.obs)}.{hint}"
        raise KeyError(msg)


def writable(adata: AnnData, *, copy: bool) -> AnnData:
    """Return what results are written to: a copy, or `adata`, made into data of its own where it is a view."""
    target = adata.copy() if copy else adata
    if target.is_view:  # as scanpy's functions do
        target._init_as_actual(target.to_memory() if target.isbacked else target.copy())
    return target


def check_unique(adata: AnnData) -> None:
    """Refuse gene names that occur twice: a model finds its genes by name.

    Raises
    ------
    ValueError
        Where a gene name occurs twice.
    """
    if not adata.var_names.is_unique:
        twice = adata.var_names[adata.var_names.duplicated()][0]
        msg = f"adata.var_names has duplicates ({twice!r}, for example); call adata.var_names_make_unique() first."
        raise ValueError(msg)


def names(mapping: Any) -> str:
    """List the first keys for a message."""
    found = [repr(name) for name in list(mapping)[:10] if name is not None]  # anndata 0.13: layers[None] is X
    return ", ".join(found) if found else "none"


def get_rep(adata: AnnData, use_rep: str) -> np.ndarray:
    """Return an embedding from `obsm` as float32 of shape ``(cells, dimensions)``.

    Raises
    ------
    KeyError
        Where it is missing.
    ValueError
        Where it is not a finite matrix, or there are fewer than three cells.
    """
    if use_rep not in adata.obsm:
        msg = (
            f"`use_rep={use_rep!r}` is not in adata.obsm; found {names(adata.obsm)}. "
            "scclr_ext.tl.contrastive_embed(adata) writes 'X_clr'."
        )
        raise KeyError(msg)
    rep = adata.obsm[use_rep]
    rep = np.asarray(rep.toarray() if sparse.issparse(rep) else rep)
    numeric = rep.ndim == 2 and rep.shape[1] > 0 and rep.dtype.kind in "buif"
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        rep = rep.astype(np.float32) if numeric else rep
    if not numeric or not np.isfinite(rep).all():
        msg = f"adata.obsm[{use_rep!r}] is not a matrix of finite numbers; embed the cells again."
        raise ValueError(msg)
    if len(rep) < 3:
        msg = f"A neighbour graph needs at least 3 cells; adata has {len(rep)}."
        raise ValueError(msg)
    return rep
