"""Counts whose normalising `pp.contrastive_preprocess` left to whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import names
from scclr_ext._values.logarithms import SAME_SIZE, common_size, linear_sizes, some_rows
from scclr_ext._values.matrix import to_memory
from scclr_ext._values.normalize import library_sizes, size_factors
from scclr_ext._values.stored import by_columns, is_stored
from scclr_ext._values.units import guess_units

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext._values.normalize import SizeFactors
    from scclr_ext._values.units import Units


def deferred_record(adata: AnnData, layer: str | None) -> Mapping[str, Any] | None:
    """Return the record of a preprocessing that left the normalising of these values to their readers."""
    record = adata.uns.get(_keys.PREPROCESS_UNS)
    if isinstance(record, Mapping) and record.get("deferred", False) and layer in {None, record["layer"]}:
        return record
    return None


def still_deferred(adata: AnnData, record: Mapping[str, Any], matrix: Any, units: Units) -> bool:
    """Whether values are still what they were when they were left to their readers, or were log-normalised since.

    Parameters
    ----------
    adata
        What they are of.
    record
        What :func:`deferred_record` gave.
    matrix
        The values, of all genes.
    units
        What those that were read look like. Of a file that is read by columns no more is looked at: its values are
        those that preprocessing saw, since nothing writes them anew.

    Raises
    ------
    KeyError
        Where the library sizes are gone.
    ValueError
        Where the values are neither: the library sizes are not theirs.
    """
    if by_columns(matrix):
        return units in {"counts", "linear"} or record["input"] == "linear"
    rows = some_rows(adata.n_obs, together=is_stored(matrix))
    cells = to_memory(matrix[rows], where="adata")
    units = guess_units(cells)
    if record["input"] == "counts" and units == "log-normalized":
        return False
    sums, known = library_sizes(cells), _library_sizes(adata)[rows]
    if np.allclose(sums, known, rtol=SAME_SIZE):
        return True
    fewer = adata.n_vars < record.get("n_vars", np.inf) and bool((sums <= known * (1 + SAME_SIZE)).all())
    # Of values that never were counts all may be as small as logarithms are; what cells add up to then tells.
    told = _keys.LOG1P_UNS in adata.uns and record["layer"] == "X"
    if units == "log-normalized" and (told or common_size(linear_sizes(cells))):
        return False
    if fewer and (units == "counts" or record["input"] == "linear"):
        return True
    layer = "" if record["layer"] == "X" else f", layer={record['layer']!r}"
    msg = (
        f"The {record['input']} values whose normalising was left to their readers were changed since: cells no longer "
        f"add up to adata.obs[{_keys.LIBRARY_SIZE_OBS!r}]. Call scclr_ext.pp.contrastive_preprocess(adata{layer}) "
        "again."
    )
    raise ValueError(msg)


def deferred_factors(adata: AnnData, record: Mapping[str, Any]) -> SizeFactors:
    """Say what each cell is to be multiplied by.

    Raises
    ------
    KeyError
        Where the library sizes are gone.
    ValueError
        Where nothing says to which size cells are to be brought.
    """
    size = record.get("library_size", record["target_sum"])
    if isinstance(size, str):  # of samples that were joined
        msg = (
            f"adata.uns[{_keys.PREPROCESS_UNS!r}] does not say which library size is the median: samples were "
            "preprocessed apart, each with its own. Call scclr_ext.pp.contrastive_preprocess(adata, ...) on all cells."
        )
        raise ValueError(msg)
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
