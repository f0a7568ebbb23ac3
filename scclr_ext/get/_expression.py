"""Values of genes, for figures and their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc

from scclr_ext._deferred import deferred_factors, deferred_record, still_deferred
from scclr_ext._matrix import get_matrix
from scclr_ext._units import guess_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData


def read_expression(adata: AnnData, genes: Sequence[str], *, layer: str | None) -> pd.DataFrame:
    """Read one column per gene; counts whose normalising was deferred are normalised as the model reads them."""
    values = sc.get.obs_df(adata, list(genes), layer=layer)
    record = deferred_record(adata, layer or "X")
    # Who has normalised them since gets them as they are.
    if record is None:
        return values
    units = guess_units(values.to_numpy(dtype=np.float32))
    if still_deferred(adata, record, get_matrix(adata, layer), units):
        values = np.log1p(values.mul(deferred_factors(adata, record).factor, axis=0))
    return values


def in_raw(adata: AnnData, name: str) -> str:
    """Say, for an error about a name that was not found, that `.raw` has such a gene; empty where it has none."""
    if adata.raw is None or name not in adata.raw.var_names:
        return ""
    return f" adata.raw has that gene: adata.obs[{name!r}] = adata.raw.obs_vector({name!r}) makes it a column."
