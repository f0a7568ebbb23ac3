"""Whether the records in `uns` are still of the cells, and of the training, that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._records import EMBEDDING, MADE_BY, MAPPING, REMAINS, TOGETHER, is_record
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from anndata import AnnData


def warn_of_other_cells(adata: AnnData, use_rep: str, key: str) -> None:
    """Warn where cells of several networks share `obsm[use_rep]`, as far as its record in `uns[key]` tells.

    Fewer cells than were trained are nobody's mistake, nor are others that were mapped onto them.
    """
    record = adata.uns.get(key)
    if is_record(record, REMAINS):
        warn(f"adata.uns[{key!r}], the record of adata.obsm[{use_rep!r}], is {REMAINS}. {TOGETHER}")
    if not is_record(record, EMBEDDING):
        return
    n_trained = record["params"].get("n_cells", adata.n_obs)
    mapped = any(is_record(it, MAPPING) and it["params"]["obsm_key"] == use_rep for it in adata.uns.values())
    if n_trained < adata.n_obs and not mapped:
        warn(
            f"adata.obsm[{use_rep!r}] has {adata.n_obs} cells, and the network it is recorded with (adata.uns[{key!r}])"
            f" was trained on {n_trained}. Unless the others were mapped onto it (scclr_ext.tl.map_query), they have "
            "coordinates of another network, which mean nothing in this one: embed all cells together."
        )


def training_of(record: Any) -> str:
    """Return a few letters that tell the training of an embedding's record from others; empty for no such record."""
    if not is_record(record, EMBEDDING):
        return ""
    history = record["history"]
    losses = np.asarray(history.get("loss", ()) if isinstance(history, Mapping) else ()).tolist()
    return hashlib.sha256(repr(losses).encode()).hexdigest()[:8]


def noted_training(adata: AnnData, key: str) -> dict[str, str]:
    """Return what the parameters of a result note of the training in `uns[key]`: nothing where there is none."""
    training = training_of(adata.uns.get(key))
    return {"training": training} if training else {}


def warn_of_earlier_training(adata: AnnData, name: str, kind: str) -> None:
    """Warn where the record of this kind in `uns[name]` notes another training than the one that is there now."""
    record = adata.uns.get(name)
    if not is_record(record, kind):
        return
    params = record["params"]
    made_from = str(params.get("training", ""))
    key = str(params["key"]) if "key" in params else _keys.uns_key_of(str(params.get("use_rep", "")))
    now = training_of(adata.uns.get(key))
    if made_from and now and made_from != now:
        what = f"key={key!r}" if "key" in params else f"use_rep={params['use_rep']!r}"
        warn(
            f"adata.uns[{name!r}] was made from an earlier training of adata.uns[{key!r}]: the cells were embedded "
            f"again since. Call scclr_ext.tl.{MADE_BY[kind][0]}(adata, ..., {what}, key_added={name!r}) again."
        )
