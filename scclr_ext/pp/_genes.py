"""The choice of the genes a model sees."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from scipy import sparse
from sklearn.utils.sparsefuncs import min_max_axis

from scclr_ext import _keys
from scclr_ext._anndata import names

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_CELLS = 2
"""A gene seen in fewer cells says nothing about how cells resemble one another (contrastive-sc, Methods)."""
_MIN_BATCH = 3
_ROUNDING = 1e-6
"""Logarithms of one value, reached from several library sizes, differ by this share at most."""
_COLUMNS = [_keys.HIGHLY_VARIABLE_VAR, "means", "dispersions", "dispersions_norm"]


def select_genes(
    logged: np.ndarray | sparse.csr_matrix | sparse.csr_array,
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
        Log-normalised values, shape ``(cells, genes)``.
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
    if isinstance(logged, np.ndarray):
        seen = np.count_nonzero(logged, axis=0)
    else:  # which may store zeros
        seen = np.bincount(logged.indices[logged.data != 0], minlength=logged.shape[1])
    eligible = (seen >= _MIN_CELLS) & _varies(logged) & _allowed(var, mask_genes)
    if not eligible.any():
        msg = (
            f"No gene can be chosen: none is found in at least {_MIN_CELLS} cells, differs between cells "
            "and is allowed by `mask_genes`. Check the values, or allow more genes."
        )
        raise ValueError(msg)

    table = pd.DataFrame(index=var.index, columns=_COLUMNS, dtype=float)
    if n_top_genes >= eligible.sum():
        table["highly_variable"] = eligible
        return table
    values = logged[:, eligible]
    # Scanpy 1.11 does not know sparse arrays.
    part = AnnData(sparse.csr_matrix(values) if sparse.issparse(values) else values, var=var.loc[eligible, []])
    batch_key = None
    if codes is not None and (usable := _usable_batches(values, codes)):
        batch_key = "batch"
        part.obs[batch_key] = pd.Categorical(codes.astype(str))
        part = part[np.isin(codes, usable)].copy()
    with warnings.catch_warnings():
        # Genes that do not vary, perhaps only within a small batch, have no dispersion: nobody needs to act.
        warnings.filterwarnings("ignore", "`n_top_genes`.*> number of normalized dispersions", UserWarning)
        try:
            ranked = sc.pp.highly_variable_genes(
                part, n_top_genes=n_top_genes, flavor="seurat", batch_key=batch_key, inplace=False
            )
        except IndexError:  # scanpy 1.11, where not one normalised dispersion is a number; 1.12 marks no gene then
            ranked = None
    if ranked is None or not ranked["highly_variable"].any():
        msg = "No gene can be chosen: all have the same dispersion. Check the values, or allow more genes."
        raise ValueError(msg)
    ranked.index = part.var_names
    table.loc[part.var_names, _COLUMNS[1:]] = ranked[_COLUMNS[1:]].astype(float)
    table["highly_variable"] = False
    table.loc[part.var_names, "highly_variable"] = ranked["highly_variable"].to_numpy(dtype=bool)
    return table


def _varies(values: np.ndarray | sparse.csr_matrix | sparse.csr_array) -> NDArray[np.bool_]:
    if sparse.issparse(values):
        smallest, largest = min_max_axis(values, axis=0)
    else:
        smallest, largest = values.min(axis=0), values.max(axis=0)
    return largest - smallest > _ROUNDING * largest


def _usable_batches(values: np.ndarray | sparse.csr_matrix | sparse.csr_array, codes: NDArray[np.int64]) -> list[int]:
    # Dispersion within a batch of one or two cells, or of cells that are all alike, is undefined or noise.
    large = np.flatnonzero(np.bincount(codes) >= _MIN_BATCH)
    return [int(code) for code in large if _varies(values[codes == code]).any()]


def _allowed(var: pd.DataFrame, mask_genes: str | NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if mask_genes is None:
        return np.ones(len(var), dtype=bool)
    if isinstance(mask_genes, str):
        if mask_genes not in var:
            msg = f"`mask_genes={mask_genes!r}` is not a column of adata.var; found {names(var)}."
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
