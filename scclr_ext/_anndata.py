"""Small things that `pp` and `tl` both do with an AnnData: look up, check, write."""

from __future__ import annotations

from copy import copy
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

Matrix = "np.ndarray | sparse.csr_matrix | sparse.csr_array"

_CHUNK = 4_000_000
_MOST_FRACTIONS = 30
_MOST_ALONE = 10
"""Cells that are alone in their batches: fewer may be all that there are, in a query for one."""
_MOST_PLACES = 2**31 - 1
"""Values that may be stored in a sparse matrix whose row starts are integers of 32 bits."""


def check_adata(adata: object) -> None:
    """Refuse anything but an AnnData.

    Raises
    ------
    TypeError
        Where it is something else.
    """
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        msg = f"`adata` is a {type(adata).__name__}; give an AnnData."
        raise TypeError(msg)


def get_matrix(adata: AnnData, layer: str | None) -> Any:
    """Return `X` or a layer, whatever its type.

    Raises
    ------
    KeyError
        Where the layer is missing.
    ValueError
        Where there is no `X`, or the data has no cells or no genes.
    """
    if layer is not None and layer not in adata.layers:
        msg = f"`layer={layer!r}` is not in adata.layers; found {names(adata.layers)}."
        raise KeyError(msg)
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
        msg = f"{where} holds NaN or infinite values; remove or replace them first."
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


def batch_codes(adata: AnnData, batch_key: str) -> NDArray[np.int64]:
    """Return the batch of each cell as integers from 0.

    Raises
    ------
    TypeError
        Where `batch_key` is no name.
    KeyError
        Where the column is missing.
    ValueError
        Where a cell has no batch, or the column holds measurements or names of cells rather than batches.
    """
    if not isinstance(batch_key, str):
        msg = (
            f"`batch_key` must be the name of one column of adata.obs; found {batch_key!r}. Make one column of several "
            "first, for one: adata.obs['batch'] = adata.obs['a'].astype(str) + adata.obs['b'].astype(str)."
        )
        raise TypeError(msg)
    if batch_key not in adata.obs:
        msg = f"`batch_key={batch_key!r}` is not a column of adata.obs; found {names(adata.obs)}."
        raise KeyError(msg)
    column = adata.obs[batch_key]
    if not isinstance(column, pd.Series):  # read lazily
        column = pd.Series(np.asarray(column))
    missing = int(column.isna().sum())
    if missing:
        msg = f"adata.obs[{batch_key!r}] is missing for {missing} cells; fill it in or drop them."
        raise ValueError(msg)
    codes = np.unique(column.astype(str).to_numpy(), return_inverse=True)[1].astype(np.int64)
    _check_batches(column, codes, batch_key)
    return codes


def _check_batches(column: pd.Series, codes: NDArray[np.int64], batch_key: str) -> None:
    """Refuse what can be no batches: fractions of many values, and columns that leave most cells alone."""
    n_fractions = int((column.drop_duplicates() % 1 != 0).sum()) if column.dtype.kind == "f" else 0
    n_alone = int((np.bincount(codes) == 1).sum())
    if n_fractions > _MOST_FRACTIONS or n_alone > max(_MOST_ALONE, len(codes) / 2):
        found = f"a value of its own for {n_alone} of {len(codes)} cells"
        if n_fractions > _MOST_FRACTIONS:
            found = f"{n_fractions} different numbers with fractions, like a measurement"
        msg = (
            f"adata.obs[{batch_key!r}] (`batch_key`) holds {found}; give a column that says which cells were processed "
            "together."
        )
        raise ValueError(msg)


def frame(table: Any) -> pd.DataFrame:
    """Return `obs` or `var` as it is, or read it where it was not yet read."""
    return table if isinstance(table, pd.DataFrame) else table.to_memory()


def as_actual(adata: AnnData) -> None:
    """Turn a view into data of its own before it is written to, as scanpy's functions do."""
    if adata.is_view:
        adata._init_as_actual(adata.to_memory() if adata.isbacked else adata.copy())


def check_unique(adata: AnnData) -> None:
    """Refuse gene names that occur twice: a model finds its genes by name.

    Raises
    ------
    ValueError
        Where a gene name occurs twice.
    """
    if not adata.var_names.is_unique:
        twice = adata.var_names[adata.var_names.duplicated()][0]
        msg = f"adata.var_names has duplicates ({twice!r} for one); call adata.var_names_make_unique() first."
        raise ValueError(msg)


def check_key_added(key_added: object) -> None:
    """Refuse names that no file could hold.

    Raises
    ------
    ValueError
        Where the name is empty, no string, or has a slash in it.
    """
    if key_added is not None and (not isinstance(key_added, str) or not key_added or "/" in key_added):
        msg = f"`key_added` must be a name without '/'; found {key_added!r}."
        raise ValueError(msg)


def check_random_state(random_state: int) -> int:
    """Return a seed that NumPy, scikit-learn and torch all take.

    Raises
    ------
    ValueError
        Where it is no whole number of 32 bits.
    """
    if not isinstance(random_state, Integral) or not 0 <= random_state < 2**32:
        msg = f"`random_state` must be a whole number from 0 to 2**32 - 1; found {random_state!r}."
        raise ValueError(msg)
    return int(random_state)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, and no switch: True is 1 to Python."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def names(mapping: Any) -> str:
    """List the first keys for a message."""
    found = [repr(name) for name in list(mapping)[:10] if name is not None]  # anndata 0.13: layers[None] is X
    return ", ".join(found) if found else "none"


def get_rep(adata: AnnData, use_rep: str) -> np.ndarray:
    """Return an embedding from `obsm` as float32 of shape ``(cells, dimensions)``.

    Raises
    ------
    KeyError
        Where it is missing.
    ValueError
        Where it is not a finite matrix, or there are fewer than three cells.
    """
    if use_rep not in adata.obsm:
        msg = (
            f"`use_rep={use_rep!r}` is not in adata.obsm; found {names(adata.obsm)}. "
            "scclr_ext.tl.contrastive_embed(adata) writes 'X_clr'."
        )
        raise KeyError(msg)
    rep = adata.obsm[use_rep]
    rep = np.asarray(rep.toarray() if sparse.issparse(rep) else rep)
    numeric = rep.ndim == 2 and rep.shape[1] > 0 and rep.dtype.kind in "buif"
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        rep = rep.astype(np.float32) if numeric else rep
    if not numeric or not np.isfinite(rep).all():
        msg = f"adata.obsm[{use_rep!r}] is not a matrix of finite numbers; embed the cells again."
        raise ValueError(msg)
    if len(rep) < 3:
        msg = f"adata has {len(rep)} cells; a neighbour graph needs at least 3."
        raise ValueError(msg)
    return rep
