"""A model from wherever a user keeps it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import names
from scclr_ext.io._document import Description, from_record
from scclr_ext.io._error import ModelError
from scclr_ext.io._load import load
from scclr_ext.io._model import Model

if TYPE_CHECKING:
    from anndata import AnnData


def get_model(source: Model | AnnData | str | os.PathLike[str], key: str = _keys.EMBEDDING_UNS) -> Model:
    """Return the model itself, the one an AnnData carries in `uns[key]`, or the one in a folder.

    Raises
    ------
    KeyError
        Where the AnnData has no `uns[key]`.
    ModelError
        Where what is there is no model, is damaged, came without its weights, or is what is left of several.
    FileNotFoundError
        Where there is no such folder.
    TypeError
        For anything else.
    """
    if isinstance(source, Model):
        return source
    if isinstance(source, str | os.PathLike):
        return load(source)
    if not hasattr(source, "uns"):
        msg = f"A model, a folder or an AnnData is needed; found {type(source).__name__}."
        raise TypeError(msg)
    where = f"adata.uns[{key!r}]"
    if key not in source.uns:
        msg = (
            f"adata.uns has no {key!r} (it has: {names(source.uns)}). Call scclr_ext.tl.contrastive_embed(adata) "
            "first, or give the name it was told in `key_added`."
        )
        raise KeyError(msg)
    record = source.uns[key]
    document = from_record(record, where)
    weights: Any = record.get(_keys.WEIGHTS)
    if not isinstance(weights, Mapping):
        msg = (
            f"{where} has no weights: the cells were embedded with keep_weights=False, or by an older scclr_ext. "
            "Call scclr_ext.tl.contrastive_embed(adata) again."
        )
        raise ModelError(msg)
    try:
        return Description(document).model({name: np.asarray(value) for name, value in weights.items()})
    except ModelError as error:
        msg = f"{where}: {error}"
        raise ModelError(msg) from error
