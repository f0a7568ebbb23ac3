"""The values of an AnnData: where they are, in memory, checked."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext._anndata import names

if TYPE_CHECKING:
    from anndata import AnnData

_CHUNK = 4_000_000
_MOST_PLACES = 2**31 - 1
"""Values that may be stored in a sparse matrix whose row starts are integers of 32 bits."""


def name_of(layer: str | None) -> str:
    """Say what messages call `X` or a layer."""
    return "adata.X" if layer is None else f"adata.layers[{layer!r}]"


def get_matrix(adata: AnnData, layer: str | None) -> Any:
    """Return `X` or a layer, whatever its type.

    Raises
    ------
    KeyError
        Where the layer is missing.
    ValueError
        Where there is no `X`, the layer's name is "X", or the data has no cells or no genes.
    """
    if layer is not None and layer not in adata.layers:
        msg = f"`layer={layer!r}` is not in adata.layers; found {names(adata.layers)}."
        raise KeyError(msg)
    if layer == "X":
        msg = "The layer 'X' would be taken for adata.X in what is recorded; rename it."
        raise ValueError(msg)
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        msg = "adata.X is empty (None); name the layer that holds the values with `layer=`."
        raise ValueError(msg)
    if 0 in adata.shape:
        msg = f"adata has {adata.n_obs} cells and {adata.n_vars} genes; there is nothing to work on."
        raise ValueError(msg)
    return _with_one_index_type(matrix)


def _with_one_index_type(matrix: Any) -> Any:
    """Return sparse rows whose places and row starts are integers of one size, with nothing large copied if possible.

    anndata reads them as they are in the file, where the row starts may be larger. SciPy then turns all places into
    the larger type whenever a few rows are taken: where the starts need it, this is done once, here.
    """
    if getattr(matrix, "format", "") != "csr" or not sparse.issparse(matrix):
        return matrix
    places, starts = matrix.indices.dtype, matrix.indptr.dtype
    if places == starts:
        return matrix
    kind = starts if matrix.nnz > _MOST_PLACES else places
    same = copy(matrix)  # of the container; the arrays are shared
    same.indices, same.indptr = matrix.indices.astype(kind, copy=False), matrix.indptr.astype(kind, copy=False)
    return same


def to_memory(matrix: Any, *, where: str) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
    """Return numbers as float32, sparse rows or a plain array, not copied where they are; checks that all are finite.

    Raises
    ------
    TypeError
        Where the values are not real numbers.
    ValueError
        Where a value is NaN or infinite.
    """
    if hasattr(matrix, "to_memory"):  # backed sparse
        matrix = matrix.to_memory()
    elif hasattr(matrix, "compute"):  # dask
        matrix = matrix.compute()
    if not sparse.issparse(matrix) and not isinstance(matrix, np.ndarray):  # a dataset of h5py or zarr
        matrix = np.asarray(matrix)
    if matrix.dtype.kind not in "buif":
        msg = f"{where} holds {matrix.dtype} values; numbers are needed."
        raise TypeError(msg)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        if sparse.issparse(matrix):
            matrix = matrix.tocsr().astype(np.float32, copy=False)
        else:
            matrix = np.asarray(np.ma.filled(matrix, 0), dtype=np.float32, order="C")
    if sparse.issparse(matrix) and not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if not all(np.isfinite(part).all() for part in chunks(matrix)):
        msg = (
            f"{where} holds NaN or infinite values; remove or replace them first. (ad.concat with join='outer' fills "
            "in NaN where the values are dense; join='inner' does not.)"
        )
        raise ValueError(msg)
    return matrix


def apart(values: Any, matrix: Any) -> Any:
    """Return values that may be changed in place: those made from `matrix`, copied where they may be its own memory."""
    made, given = _arrays(values), _arrays(matrix)
    fresh = given and not any(np.may_share_memory(one, other) for one in made for other in given)
    return values if fresh else values.copy()


def _arrays(matrix: Any) -> list[np.ndarray]:
    """List the arrays of a matrix in memory; of others it is not known where their values lie."""
    if isinstance(matrix, np.ndarray):
        return [matrix]
    known = sparse.issparse(matrix) and matrix.format in {"csr", "csc"}
    return [matrix.data, matrix.indices, matrix.indptr] if known else []


def chunks(matrix: Any) -> Any:
    """Yield the stored values piece by piece, so that a test of them needs little memory."""
    values = matrix.data if sparse.issparse(matrix) else matrix.reshape(-1)
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
