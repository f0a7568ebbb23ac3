"""Counts whose normalising `pp.contrastive_preprocess` left to whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import names
from scclr_ext._normalize import size_factors

if TYPE_CHECKING:
    from anndata import AnnData

    from scclr_ext._normalize import SizeFactors


def deferred_record(adata: AnnData, layer: str | None) -> Mapping[str, Any] | None:
    """Return the record of a preprocessing that left the normalising of these values to their readers."""
    record = adata.uns.get(_keys.PREPROCESS_UNS)
    if isinstance(record, Mapping) and record.get("deferred", False) and layer in {None, record["layer"]}:
        return record
    return None


def deferred_factors(adata: AnnData, record: Mapping[str, Any]) -> SizeFactors:
    """Say what each cell is to be multiplied by.

    Raises
    ------
    KeyError
        Where the library sizes are gone.
    """
    key = _keys.LIBRARY_SIZE_OBS
    if key not in adata.obs:
        msg = (
            f"adata.obs[{key!r}] is missing, which the normalising of the values needs; found {names(adata.obs)}. "
            "Call scclr_ext.pp.contrastive_preprocess(adata) again."
        )
        raise KeyError(msg)
    size = record.get("library_size", record["target_sum"])
    return size_factors(np.asarray(adata.obs[key], dtype=np.float64), float(size))
