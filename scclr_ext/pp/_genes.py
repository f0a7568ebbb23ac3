"""The choice of the genes a model sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scanpy as sc

from scclr_ext import _keys

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_MIN_CELLS = 2
"""A gene seen in fewer cells says nothing about how cells resemble one another (contrastive-sc, Methods)."""
_COLUMNS = [_keys.HIGHLY_VARIABLE_VAR, "means", "dispersions", "dispersions_norm"]


def select_genes(
    logged: AnnData,
    var: pd.DataFrame,
    n_top_genes: int,
    *,
    codes: NDArray[np.int64] | None,
    mask_genes: str | NDArray[np.bool_] | None,
) -> pd.DataFrame:
    """Rank genes by normalised dispersion and mark the highest.

    Parameters
    ----------
    logged
        Log-normalised values.
    var
        The user's gene table, in which `mask_genes` may name a column.
    n_top_genes
        Number of genes to mark; all eligible ones where there are fewer.
    codes
        Batch of each cell; genes are ranked within batches of at least three cells, and the ranks combined.
    mask_genes
        Genes that may be chosen.

    Returns
    -------
    A row per gene with `highly_variable` and the statistics behind it (NaN where a gene was not eligible).
    """
    matrix = logged.X
    seen = matrix.getnnz(axis=0) if hasattr(matrix, "getnnz") else np.count_nonzero(matrix, axis=0)
    eligible = (np.asarray(seen).ravel() >= _MIN_CELLS) & _allowed(var, mask_genes)
    if not eligible.any():
        msg = f"No gene can be chosen: none is found in at least {_MIN_CELLS} cells (and allowed by `mask_genes`)."
        raise ValueError(msg)

    table = pd.DataFrame(index=logged.var_names, columns=_COLUMNS, dtype=float)
    if n_top_genes >= eligible.sum():
        table["highly_variable"] = eligible
        return table
    part = logged[:, eligible]
    batch_key = None
    if codes is not None and (sizes := np.bincount(codes))[codes].max() >= 3:
        # Dispersion within a batch of one or two cells is undefined or noise.
        part = part[sizes[codes] >= 3].copy()
        batch_key = "batch"
        part.obs[batch_key] = pd.Categorical(codes[sizes[codes] >= 3].astype(str))
    ranked = sc.pp.highly_variable_genes(
        part, n_top_genes=n_top_genes, flavor="seurat", batch_key=batch_key, inplace=False
    )
    ranked.index = part.var_names
    table.loc[part.var_names, _COLUMNS[1:]] = ranked[_COLUMNS[1:]].astype(float)
    table["highly_variable"] = False
    table.loc[part.var_names, "highly_variable"] = ranked["highly_variable"].to_numpy(dtype=bool)
    return table


def _allowed(var: pd.DataFrame, mask_genes: str | NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if mask_genes is None:
        return np.ones(len(var), dtype=bool)
    if isinstance(mask_genes, str):
        if mask_genes not in var:
            msg = f"`mask_genes={mask_genes!r}` is not a column of adata.var."
            raise KeyError(msg)
        mask_genes = var[mask_genes].to_numpy()
    mask = np.asarray(mask_genes)
    if mask.dtype != bool or mask.shape != (len(var),):
        msg = (
            f"`mask_genes` must be boolean with one entry per gene ({len(var)}); "
            f"found {mask.dtype} of shape {mask.shape}."
        )
        raise ValueError(msg)
    return mask
