"""The cells of a reference, as they travel with its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import batch_codes, get_rep, names
from scclr_ext.io._model import Reference

if TYPE_CHECKING:
    from anndata import AnnData

_FEWEST = 2


def reference_of(adata: AnnData, key: str, labels: str | None) -> Reference:
    """Take the embedding, the labels and the batches of the cells that carry a model in `uns[key]`.

    Without `labels` every cell has none. The batches are those the model was trained with.

    Raises
    ------
    KeyError
        Where the column or the embedding is missing.
    ValueError
        Where fewer than two cells have a label: how sure a label is, is learned from cells that are held out.
    """
    params = adata.uns[key]["params"]
    rep = get_rep(adata, str(params["obsm_key"]))
    batch_key = str(params.get("batch_key", ""))
    batches = batch_codes(adata, batch_key) if batch_key in adata.obs else np.zeros(len(rep))
    codes, categories = np.full(len(rep), -1, dtype=np.int32), []
    if labels is not None:
        if labels not in adata.obs:
            msg = f"`labels={labels!r}` is not a column of the reference's obs; found {names(adata.obs)}."
            raise KeyError(msg)
        column = pd.Categorical(adata.obs[labels]).remove_unused_categories()
        if not len(column.categories):
            msg = f"obs[{labels!r}] of the reference gives no cell a label."
            raise ValueError(msg)
        if (n_known := int((column.codes >= 0).sum())) < _FEWEST:
            msg = f"obs[{labels!r}] labels {n_known} cell of the reference; {_FEWEST} are needed at the least."
            raise ValueError(msg)
        codes, categories = np.array(column.codes, dtype=np.int32), list(map(str, column.categories))
    return Reference(rep, labels or "", tuple(categories), codes, batches.astype(np.int32))
