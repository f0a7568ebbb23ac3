"""Reading the record that `tl.contrastive_embed` left, with errors that say what to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from scclr_ext._anndata import check_adata
from scclr_ext._matrix import chunks

if TYPE_CHECKING:
    from anndata import AnnData

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
    check_adata(adata)
    if key not in adata.uns:
        msg = (
            f"adata.uns has no {key!r} (it has: {_names(adata.uns)}). Run `scclr_ext.tl.contrastive_embed(adata)` "
            "first, or give the name it was told in `key_added` as `key`. (Cells that were mapped have the reference's "
            "embedding, whose record is with the reference.)"
        )
        raise KeyError(msg)
    record = adata.uns[key]
    params = record.get("params") if isinstance(record, Mapping) else None
    if not isinstance(params, Mapping) or "obsm_key" not in params or "history" not in record:
        msg = (
            f"adata.uns[{key!r}] is not the record of a contrastive embedding; give as `key` the name that "
            "`scclr_ext.tl.contrastive_embed` was told in `key_added`, or 'clr' where it was told none."
        )
        raise ValueError(msg)
    obsm_key = str(params["obsm_key"])
    if obsm_key not in adata.obsm:
        msg = (
            f"adata.obsm has no {obsm_key!r} (it has: {_names(adata.obsm)}), which adata.uns[{key!r}] names as its "
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


def _names(mapping: Mapping[str, Any]) -> str:
    return ", ".join(repr(name) for name in mapping) or "nothing"
