"""Values of genes, for figures and their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scanpy as sc

from scclr_ext._values.deferred import deferred_factors, deferred_record, still_deferred
from scclr_ext._values.matrix import get_matrix
from scclr_ext._values.stored import StoredRows
from scclr_ext._values.units import guess_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


def read_expression(adata: AnnData, genes: Sequence[str], *, layer: str | None) -> pd.DataFrame:
    """Read one column per gene; counts whose normalising was deferred are normalised as the model reads them."""
    matrix = get_matrix(adata, layer)
    if hasattr(matrix, "dask"):  # of which scanpy takes dense ones only
        values = _read_stored(adata, matrix, list(genes))
    else:
        values = sc.get.obs_df(adata, list(genes), layer=layer)
    record = deferred_record(adata, layer or "X")
    # Who has normalised them since gets them as they are.
    if record is None:
        return values
    if still_deferred(adata, record, matrix, guess_units(values.to_numpy(dtype=np.float32))):
        values = np.log1p(values.mul(deferred_factors(adata, record).factor, axis=0))
    return values


def _read_stored(adata: AnnData, matrix: Any, genes: list[str]) -> pd.DataFrame:
    rows = StoredRows(matrix, where="adata", genes=adata.var_names.get_indexer(genes))
    values = rows.read(np.arange(adata.n_obs))
    dense = values if isinstance(values, np.ndarray) else values.toarray()
    return pd.DataFrame(dense, index=adata.obs_names, columns=genes)


def in_raw(adata: AnnData, name: str) -> str:
    """Say, for an error about a name that was not found, that `.raw` has such a gene; empty where it has none."""
    if adata.raw is None or name not in adata.raw.var_names:
        return ""
    return f" adata.raw has that gene: adata.obs[{name!r}] = adata.raw.obs_vector({name!r}) makes it a column."
