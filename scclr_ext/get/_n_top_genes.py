from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import check_adata, names
from scclr_ext._keys import N_TOP_GENES_UNS

if TYPE_CHECKING:
    from typing import Any

    from anndata import AnnData

_COLUMNS = ("candidates", "morans_i", "spread", "n_top_genes")


def n_top_genes(adata: AnnData) -> pd.DataFrame:
    """Tabulate the numbers of genes that were tried, what spoke for each, and which one was chosen.

    This is the table behind :func:`scclr_ext.pl.n_top_genes`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Cells preprocessed by :func:`scclr_ext.pp.select_n_top_genes`.

    Returns
    -------
    One row per number of genes, smallest first:

    `morans_i`
        How alike nearest neighbours, found with this number of genes, are in genes that had no say: Moran's I, the mean
        over the splits of the genes.
    `spread`
        Its standard deviation over the splits, after each split's mean over all numbers was taken out: some genes are
        harder to predict than others, whatever the number.
    `chosen`
        True for the number that was taken.

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If `uns["clr_n_top_genes"]` is missing.
    ValueError
        If it is not what :func:`scclr_ext.pp.select_n_top_genes` writes.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> adata = AnnData(np.zeros((3, 2), dtype="float32"))
    >>> adata.uns["clr_n_top_genes"] = {
    ...     "n_top_genes": 1000,
    ...     "candidates": np.array([500, 1000, 2000]),
    ...     "morans_i": np.array([0.21, 0.25, 0.24]),
    ...     "spread": np.array([0.01, 0.01, 0.02]),
    ... }
    >>> clr.get.n_top_genes(adata)
                 morans_i  spread  chosen
    n_top_genes
    500               0.21    0.01   False
    1000              0.25    0.01    True
    2000              0.24    0.02   False
    """
    check_adata(adata)
    if N_TOP_GENES_UNS not in adata.uns:
        msg = (
            f"adata.uns has no {N_TOP_GENES_UNS!r}; found {names(adata.uns)}. "
            "Run `scclr_ext.pp.select_n_top_genes(adata)` first."
        )
        raise KeyError(msg)
    record: Any = adata.uns[N_TOP_GENES_UNS]
    if not isinstance(record, Mapping) or not set(_COLUMNS) <= set(record):
        msg = (
            f"adata.uns[{N_TOP_GENES_UNS!r}] is not what `scclr_ext.pp.select_n_top_genes` writes; "
            "run it again, and keep other things under other names."
        )
        raise ValueError(msg)
    tried = np.atleast_1d(record["candidates"]).astype(int)
    return pd.DataFrame(
        {
            "morans_i": np.atleast_1d(record["morans_i"]),
            "spread": np.atleast_1d(record["spread"]),
            "chosen": tried == int(record["n_top_genes"]),
        },
        index=pd.Index(tried, name="n_top_genes"),
    )
