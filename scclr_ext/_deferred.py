"""Counts whose normalising `pp.contrastive_preprocess` left to whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import names
from scclr_ext._logarithms import SAME_SIZE, common_size, linear_sizes, some_cells, some_rows
from scclr_ext._normalize import library_sizes, size_factors

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext._normalize import SizeFactors
    from scclr_ext._units import Units


def deferred_record(adata: AnnData, layer: str | None) -> Mapping[str, Any] | None:
    """Return the record of a preprocessing that left the normalising of these values to their readers."""
    record = adata.uns.get(_keys.PREPROCESS_UNS)
    if isinstance(record, Mapping) and record.get("deferred", False) and layer in {None, record["layer"]}:
        return record
    return None


def still_deferred(adata: AnnData, record: Mapping[str, Any], matrix: Any, units: Units) -> bool:
    """Whether values are still what they were when they were left to their readers, or were normalised since.

    Parameters
    ----------
    adata
        What they are of.
    record
        What :func:`deferred_record` gave.
    matrix
        The values, of all genes.
    units
        What those that are to be read look like. Of values that never were counts some genes may all be as small as
        logarithms are; what the cells add up to then tells.

    Raises
    ------
    KeyError
        Where that is needed and the library sizes are gone.
    """
    if units != "log-normalized" or record["input"] != "linear":
        return units in {"counts", "linear"}
    cells, known = some_cells(matrix, "adata"), _library_sizes(adata)[some_rows(adata.n_obs)]
    if np.allclose(library_sizes(cells), known, rtol=SAME_SIZE):
        return True
    # Genes were left out, or values normalised, since.
    told = _keys.LOG1P_UNS in adata.uns and record["layer"] == "X"
    return not told and not common_size(linear_sizes(cells))


def deferred_factors(adata: AnnData, record: Mapping[str, Any]) -> SizeFactors:
    """Say what each cell is to be multiplied by.

    Raises
    ------
    KeyError
        Where the library sizes are gone.
    """
    size = record.get("library_size", record["target_sum"])
    return size_factors(_library_sizes(adata), float(size))


def _library_sizes(adata: AnnData) -> NDArray[np.float64]:
    key = _keys.LIBRARY_SIZE_OBS
    if key not in adata.obs:
        msg = (
            f"adata.obs[{key!r}] is missing, which the normalising of the values needs; found {names(adata.obs)}. "
            "Call scclr_ext.pp.contrastive_preprocess(adata) again."
        )
        raise KeyError(msg)
    return np.asarray(adata.obs[key], dtype=np.float64)
