"""What preprocessing would write over, and nothing else holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext import _keys
from scclr_ext._values.logarithms import some_rows
from scclr_ext._values.matrix import to_memory
from scclr_ext._values.stored import is_stored
from scclr_ext._values.units import guess_units
from scclr_ext.engine.hold import pieces_of

if TYPE_CHECKING:
    from anndata import AnnData


def check_same(kept: Any, values: Any, name: str, where: str) -> None:
    """Refuse to write over a layer that holds other numbers, to single precision, than those that would go there."""
    if not _same(to_memory(kept, where=f"adata.layers[{name!r}]"), values):
        msg = (
            f"adata.layers[{name!r}] holds other values than {where}, and would be written over. If they are the "
            f"right ones, pass layer={name!r}; else rename the layer, or remove it (del adata.layers[{name!r}])."
        )
        raise ValueError(msg)


def check_not_lost(adata: AnnData, layer: str) -> None:
    """Refuse to write the values of a layer over counts in `X` that neither a layer nor `raw` holds."""
    if adata.X is None or is_stored(adata.X):
        return
    some = _readable(adata.X[some_rows(adata.n_obs)])
    if some is None or guess_units(some) != "counts" or not some.sum():
        return
    counts = _readable(adata.X)
    if counts is None or guess_units(counts) != "counts":
        return
    first = [name for name in (layer, _keys.COUNTS_LAYER) if name in adata.layers]
    kept = [adata.layers[name] for name in dict.fromkeys([*first, *filter(None, adata.layers)])]
    if adata.raw is not None and adata.raw.shape == adata.shape:
        kept.append(adata.raw.X)
    if not any((values := _readable(one)) is not None and _same(values, counts) for one in kept):
        msg = (
            f"adata.X holds counts that are in no layer, and would be written over by the values of layer={layer!r}. "
            "Keep them first (adata.layers['raw'] = adata.X.copy()), or drop them (adata.X = None)."
        )
        raise ValueError(msg)


def _readable(matrix: Any) -> Any:
    """Return a matrix as it is computed with, or None where it cannot be: nobody has asked for these values."""
    try:
        return to_memory(matrix, where="")
    except (TypeError, ValueError):
        return None


def _same(one: Any, other: Any) -> bool:
    """Whether two matrices hold the same numbers; where both are stored alike, as copies are, without more memory."""
    if sparse.issparse(one) and sparse.issparse(other) and one.nnz == other.nnz:
        parts = ("data", "indices", "indptr")
        if all(np.array_equal(getattr(one, part), getattr(other, part)) for part in parts):
            return True
    for piece in pieces_of(np.arange(one.shape[0]), one.shape[1]):
        dense = (part.toarray() if sparse.issparse(part) else part for part in (one[piece], other[piece]))
        if not np.array_equal(*dense):
            return False
    return True
