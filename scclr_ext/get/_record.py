"""Reading the record that `tl.contrastive_embed` left, with errors that say what to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from scclr_ext._anndata import names
from scclr_ext._records import EMBEDDING, find_record
from scclr_ext._values.matrix import chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

_MAPPED = " (Cells that were mapped have the reference's embedding, whose record is with the reference.)"
_LARGEST = float(np.finfo(np.float32).max)


class EmbeddingRecord(NamedTuple):
    """One embedding and what is known about its training."""

    representation: np.ndarray
    obsm_key: str
    batch_key: str
    """Column of `obs`, empty where the embedding knew no batch."""
    chance_loss: float
    seconds: float
    history: Mapping[str, Any]


def read_record(adata: AnnData, key: str) -> EmbeddingRecord:
    """Find the embedding recorded under `adata.uns[key]`."""
    record = find_record(adata, key, EMBEDDING, hint=_MAPPED)
    params = record["params"]
    obsm_key = str(params["obsm_key"])
    if obsm_key not in adata.obsm:
        msg = (
            f"adata.obsm has no {obsm_key!r} (it has: {names(adata.obsm)}), which adata.uns[{key!r}] names as its "
            "embedding. Run `scclr_ext.tl.contrastive_embed(adata)` again, or put the embedding back."
        )
        raise KeyError(msg)
    found = adata.obsm[obsm_key]
    representation = np.asarray(found.toarray() if sparse.issparse(found) else found)
    usable = representation.dtype.kind in "buif"
    if representation.dtype.kind == "f" and representation.dtype.itemsize > np.dtype(np.float32).itemsize:
        usable = not any(((np.abs(part) > _LARGEST) & np.isfinite(part)).any() for part in chunks(representation))
    if representation.ndim != 2 or 0 in representation.shape or not usable:
        msg = f"adata.obsm[{obsm_key!r}] is not a matrix of numbers; embed the cells again."
        raise ValueError(msg)
    return EmbeddingRecord(
        representation=representation,
        obsm_key=obsm_key,
        batch_key=str(params.get("batch_key", "")),
        chance_loss=float(params.get("chance_loss", np.nan)),
        seconds=float(record.get("seconds", np.nan)),
        history=record["history"],
    )
