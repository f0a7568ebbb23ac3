"""What every metric asks of its arrays, said once and in the caller's words."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


# By bytes of a number: the fourth root of the largest one, roughly, since squares of distances are squared again.
_LARGEST = {4: 1e9, 8: 1e75, 16: 1e75}


def as_codes(labels: ArrayLike, name: str, *, n_cells: int | None = None) -> np.ndarray:
    """Turn labels of any type into 0, 1, ... in order of appearance."""
    # NumPy's own unique() cannot sort labels of mixed types; a factorisation needs no order.
    series = labels if isinstance(labels, pd.Categorical | pd.Series | pd.Index) else _one_dimensional(labels, name)
    codes = np.asarray(pd.factorize(series)[0])
    if n_cells is not None and len(codes) != n_cells:
        msg = f"`{name}` has {len(codes)} entries for {n_cells} cells; give one label per cell."
        raise ValueError(msg)
    if len(codes) == 0:
        msg = f"`{name}` is empty; give one label per cell."
        raise ValueError(msg)
    if n_missing := int((codes < 0).sum()):
        msg = f"`{name}` has {n_missing} missing labels; drop these cells or give them a label of their own."
        raise ValueError(msg)
    return codes


def as_representation(representation: ArrayLike, name: str = "representation") -> np.ndarray:
    """Require a dense, finite matrix of floating-point numbers, cells in rows."""
    _no_anndata(representation, name, "adata.obsm['X_clr']")
    if hasattr(representation, "tocsr"):
        msg = f"`{name}` is a sparse matrix; give a dense array, for instance `{name}.toarray()`."
        raise TypeError(msg)
    array = np.asarray(representation)
    if array.dtype.kind not in "fiub":
        msg = f"`{name}` holds {array.dtype} values; give numbers."
        raise TypeError(msg)
    if array.ndim != 2 or 0 in array.shape:
        msg = f"`{name}` has shape {array.shape}; give a matrix of cells by dimensions, both at least 1."
        raise ValueError(msg)
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.float64)
    if n_bad := int(array.size - np.isfinite(array).sum()):
        msg = f"`{name}` has {n_bad} entries that are NaN or infinite; drop or repair these cells."
        raise ValueError(msg)
    limit = _LARGEST[array.dtype.itemsize]
    if max(array.max(), -array.min()) > limit:
        msg = f"`{name}` has entries beyond {limit:g}, which cannot be squared and summed; divide all of them."
        raise ValueError(msg)
    return array


def check_sample_size(sample_size: int | None) -> None:
    """Require at least two cells of a subsample."""
    if sample_size is None:
        return
    if isinstance(sample_size, bool) or not isinstance(sample_size, int | np.integer):
        msg = f"`sample_size` is {sample_size!r}; give a whole number of cells, or None for all."
        raise TypeError(msg)
    if sample_size < 2:
        msg = f"`sample_size` is {sample_size}; give at least 2 cells, or None for all."
        raise ValueError(msg)


def _no_anndata(values: object, name: str, example: str) -> None:
    """Say what to take of it: NumPy would ask it for one entry after another, for minutes."""
    if hasattr(values, "obsm"):
        msg = f"`{name}` is a whole {type(values).__name__}; give what it holds, for instance {example}."
        raise TypeError(msg)


def _one_dimensional(labels: ArrayLike, name: str) -> pd.Series:
    _no_anndata(labels, name, "adata.obs['cell_type']")
    if isinstance(labels, str | bytes | NoneType) or np.isscalar(labels):
        msg = f"`{name}` is {labels!r}; give a sequence with one label per cell."
        raise TypeError(msg)
    # A list goes through pandas, since NumPy would turn [1, "a"] into two strings.
    array = labels if isinstance(labels, np.ndarray) else pd.Series(list(labels)).to_numpy()  # type: ignore[arg-type]
    if array.ndim != 1:
        msg = f"`{name}` has shape {array.shape}; give one label per cell, in one dimension."
        raise ValueError(msg)
    return pd.Series(array)
