"""The cells of a reference, as they travel with its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import check_column, get_rep
from scclr_ext._batches import batch_codes, recorded_batch_key
from scclr_ext._categories import by_name, categories_of, no_groups
from scclr_ext.io._model import Reference

if TYPE_CHECKING:
    from anndata import AnnData

    from scclr_ext.io._model import Model

_FEWEST = 2


def reference_of(adata: AnnData, key: str, labels: str | None, model: Model) -> Reference:
    """Take the embedding, the labels and the batches of the cells that carry `model` in `uns[key]`.

    Without `labels` every cell has none. The batches are those the model was trained with.

    Raises
    ------
    KeyError
        Where the column or the embedding is missing.
    ValueError
        Where fewer than two cells have a label: how sure a label is, is learned from cells that are held out. Where
        the labels are measurements, or names of cells. Or where the embedding cannot be the model's: it has other
        dimensions, or more cells.
    """
    params = adata.uns[key]["params"]
    rep = get_rep(adata, str(params["obsm_key"]))
    _check_is_the_models(rep, model, f"adata.obsm[{str(params['obsm_key'])!r}] of the reference", key)
    batch_key = recorded_batch_key(adata, key)
    batches = np.zeros(len(rep)) if batch_key is None else batch_codes(adata, batch_key)
    codes, categories = np.full(len(rep), -1, dtype=np.int32), []
    if labels is not None:
        check_column(adata, labels, "labels", whose="the reference's ")
        column = by_name(categories_of(adata.obs[labels]))
        if not len(column.categories):
            msg = f"obs[{labels!r}] of the reference gives no cell a label; name another column as `labels`."
            raise ValueError(msg)
        if (n_known := int((column.codes >= 0).sum())) < _FEWEST:
            msg = f"obs[{labels!r}] labels {n_known} cell of the reference; {_FEWEST} are needed at the least."
            raise ValueError(msg)
        if (found := no_groups(pd.Series(adata.obs[labels]))) is not None:
            msg = f"obs[{labels!r}] (`labels`) of the reference holds {found}; give a column of cell types."
            raise ValueError(msg)
        categories = list(map(str, column.categories))
        if len(set(categories)) < len(categories):
            msg = f"obs[{labels!r}] (`labels`) of the reference has labels of the same name (as 1 and '1'); rename one."
            raise ValueError(msg)
        codes = np.array(column.codes, dtype=np.int32)
    return Reference(rep, labels or "", tuple(categories), codes, batches.astype(np.int32))


def _check_is_the_models(rep: np.ndarray, model: Model, where: str, key: str) -> None:
    if rep.shape[1] != model.n_dimensions:
        msg = (
            f"{where} has {rep.shape[1]} dimensions, the model in adata.uns[{key!r}] {model.n_dimensions}; embed the "
            "reference again."
        )
        raise ValueError(msg)
    n_trained = model.trained.data.n_cells
    if len(rep) > n_trained:  # fewer is fine: some were taken away since
        msg = (
            f"{where} has {len(rep)} cells, but the model in adata.uns[{key!r}] was trained on {n_trained}: cells were "
            "added since, and another network may have embedded them. Give the AnnData that was embedded, or embed "
            "all cells again."
        )
        raise ValueError(msg)
