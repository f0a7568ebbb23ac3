"""What users feed to a package: each case changes a healthy AnnData."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable

    import anndata as ad


class Case(NamedTuple):
    """A change; `concerns` says which functions it matters to, `harmless` that it may not raise."""

    change: Callable[[ad.AnnData], Any]
    concerns: str
    harmless: bool = False


CASES: dict[str, Case] = {}


def case(concerns: str, name: str | None = None, *, harmless: bool = False) -> Callable[..., Any]:
    def add(change: Callable[[ad.AnnData], Any]) -> Callable[[ad.AnnData], Any]:
        CASES[name or change.__name__.strip("_")] = Case(change, concerns, harmless)
        return change

    return add


def dense(adata: ad.AnnData) -> np.ndarray:
    return np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X)


def with_matrix(adata: ad.AnnData, matrix: Any) -> ad.AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata's own opinion of the type
        adata.X = matrix
    return adata


# Values


def _edit(name: str, edit: Callable[[np.ndarray], np.ndarray], *, harmless: bool = False) -> None:
    for kind in (sparse.csr_matrix, np.array):
        if name == "float16" and kind is sparse.csr_matrix:
            continue  # which SciPy does not have
        label = f"{name}, {'sparse' if kind is sparse.csr_matrix else 'dense'}"
        case("values", label, harmless=harmless)(lambda a, kind=kind: with_matrix(a, kind(edit(dense(a).copy()))))


def _put(values: np.ndarray, where: Any, what: float) -> np.ndarray:
    values[where] = what
    return values


_edit("a NaN", lambda x: _put(x, (3, 4), np.nan))
_edit("infinity", lambda x: _put(x, (3, 4), np.inf))
_edit("minus infinity", lambda x: _put(x, (3, 4), -np.inf))
_edit("a negative value", lambda x: _put(x, (3, 4), -1.0))
_edit("beyond float32", lambda x: _put(x.astype(np.float64), (3, 4), 1e300))
_edit("nearly beyond float32", lambda x: _put(x, (3, 4), 3e38))
_edit("subnormal", lambda x: _put(x, (3, 4), 1e-45))
_edit("an empty cell", lambda x: _put(x, 3, 0.0), harmless=True)
_edit("an empty gene", lambda x: _put(x, (slice(None), 4), 0.0), harmless=True)
_edit("a constant gene", lambda x: _put(x, (slice(None), 4), 1.5))
_edit("all zero", lambda x: x * 0)
_edit("all the same", lambda x: x * 0 + 1.5)
_edit("all the same and whole", lambda x: x * 0 + 2)
_edit("every cell the same", lambda x: x * 0 + x[:1])
_edit("logical", lambda x: x > 1)
for dtype in ("float16", "float64", "int8", "uint8", "int32", "int64", "uint64"):
    _edit(dtype, lambda x, dtype=dtype: np.rint(x).astype(dtype) if dtype[0] in "iu" else x.astype(dtype))
_edit("complex", lambda x: x.astype(np.complex64))


@case("values")
def objects(a: ad.AnnData) -> ad.AnnData:
    return with_matrix(a, dense(a).astype(object))


@case("values")
def text(a: ad.AnnData) -> ad.AnnData:
    return with_matrix(a, dense(a).astype(str))


@case("values")
def without_x(a: ad.AnnData) -> ad.AnnData:
    del a.X
    return a


for _kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array):
    case("values", _kind.__name__, harmless=True)(lambda a, kind=_kind: with_matrix(a, kind(dense(a))))


@case("values", harmless=True)
def np_matrix(a: ad.AnnData) -> ad.AnnData:
    return with_matrix(a, dense(a).view(np.matrix))


@case("values", harmless=True)
def masked(a: ad.AnnData) -> ad.AnnData:
    return with_matrix(a, np.ma.MaskedArray(dense(a), mask=np.arange(a.n_vars) % 5 == np.zeros((a.n_obs, 1))))


@case("values", harmless=True)
def fortran_order(a: ad.AnnData) -> ad.AnnData:
    return with_matrix(a, np.asfortranarray(dense(a)))


@case("values")
def big_endian(a: ad.AnnData) -> ad.AnnData:
    return with_matrix(a, dense(a).astype(">f4"))


@case("values", harmless=True)
def unsorted_with_stored_zeros(a: ad.AnnData) -> ad.AnnData:
    x = sparse.csr_matrix(dense(a) + 0.0)
    x.data[::3] = 0
    for i in range(x.shape[0]):
        row = slice(x.indptr[i], x.indptr[i + 1])
        x.indices[row], x.data[row] = x.indices[row][::-1].copy(), x.data[row][::-1].copy()
    x.has_sorted_indices = False
    return with_matrix(a, x)


@case("values", harmless=True)
def entries_twice(a: ad.AnnData) -> ad.AnnData:
    x = sparse.csr_matrix(dense(a))
    twice = sparse.csr_matrix((np.repeat(x.data / 2, 2), np.repeat(x.indices, 2), 2 * x.indptr), shape=x.shape)
    return with_matrix(a, twice)


@case("values", harmless=True)
def long_indices(a: ad.AnnData) -> ad.AnnData:
    x = sparse.csr_matrix(dense(a))
    x.indices, x.indptr = x.indices.astype(np.int64), x.indptr.astype(np.int64)
    return with_matrix(a, x)


@case("anything", harmless=True)
def read_only(a: ad.AnnData) -> ad.AnnData:
    a.X = dense(a)
    a.X.flags.writeable = False
    for value in a.obsm.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return a


@case("values", harmless=True)
def read_only_sparse(a: ad.AnnData) -> ad.AnnData:
    a.X = sparse.csr_matrix(dense(a))
    for part in (a.X.data, a.X.indices, a.X.indptr):
        part.flags.writeable = False
    return a


# Shapes


def _shape(name: str, rows: int | None, columns: int | None) -> None:
    case("anything", name)(lambda a: a[:rows, :columns].copy())


_shape("no cells", 0, None)
_shape("no genes", None, 0)
_shape("nothing at all", 0, 0)
_shape("one cell", 1, None)
_shape("two cells", 2, None)
_shape("three cells", 3, None)
_shape("one gene", None, 1)
_shape("two genes", None, 2)
_shape("one cell, one gene", 1, 1)
case("anything", "a view of cells", harmless=True)(lambda a: a[::-1])
case("anything", "a view of genes")(lambda a: a[:, ::2])
case("anything", "a view of a view")(lambda a: a[5:, 1:][:, ::-1])
case("anything", "cells taken away since", harmless=True)(lambda a: a[3:].copy())
case("anything", "genes taken away since")(lambda a: a[:, 3:].copy())
case("anything", "no AnnData but None")(lambda a: None)
case("anything", "no AnnData but a dict")(lambda a: {"X": a.X})
case("anything", "no AnnData but an array")(dense)
case("anything", "no AnnData but a DataFrame")(lambda a: a.to_df())


# Names


def _renamed(name: str, names: Callable[[int], list[str]], *, harmless: bool = True) -> None:
    def rename(a: ad.AnnData) -> ad.AnnData:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # anndata says that names are not unique
            a.obs_names, a.var_names = names(a.n_obs), names(a.n_vars)
        return a

    case("names", name, harmless=harmless)(rename)


_renamed("every name twice", lambda n: [f"x{i // 2}" for i in range(n)], harmless=False)
_renamed("foreign names", lambda n: [f"ген {i} / ß\t{chr(0x1F9EC)}" for i in range(n)])
_renamed("empty name", lambda n: ["", *(f"x{i}" for i in range(1, n))])
_renamed("long names", lambda n: [f"{i}" + "x" * 10_000 for i in range(n)])


@case("names")
def columns_with_slashes(a: ad.AnnData) -> ad.AnnData:
    a.obs["a/b"] = a.obs["group"].to_numpy()
    a.var["c/d"] = 1
    return a


@case("names", harmless=True)
def spare_things(a: ad.AnnData) -> ad.AnnData:
    a.raw = a.copy()
    a.uns["anything"] = {"deep": {"er": [1, "two", None]}}
    a.obsp["graph"] = sparse.eye(a.n_obs, format="csr")
    a.varm["loadings"] = np.ones((a.n_vars, 2))
    a.layers["other"] = a.X.copy()
    a.obs["time"] = pd.date_range("2020", periods=a.n_obs)
    return a


# Batches and other columns of labels: `group`, `batch` and `donor` are what the calls name.


def _columns(name: str, make: Callable[[pd.Series], Any], *, harmless: bool = False) -> None:
    def replace(a: ad.AnnData) -> ad.AnnData:
        for column in ("group", "batch", "donor"):
            a.obs[column] = make(a.obs[column])
        return a

    case("labels", name, harmless=harmless)(replace)


def _some_missing(column: pd.Series) -> pd.Series:
    column = column.astype(object).copy()
    column.iloc[2] = np.nan
    return column


_columns("a missing label", _some_missing)
_columns("a missing category", lambda c: _some_missing(c).astype("category"))
_columns("no label at all", lambda c: np.full(len(c), np.nan))
_columns("no category at all", lambda c: pd.Categorical([None] * len(c), categories=["a"]))
_columns("one label for all", lambda c: "one")
_columns("a label for each", lambda c: [f"l{i}" for i in range(len(c))])
_columns("a label of one cell", lambda c: ["alone", *c.astype(str)[1:]])
_columns("unused categories", lambda c: c.astype("category").cat.add_categories(["none"]), harmless=True)
_columns("labels that are integers", lambda c: c.astype("category").cat.codes.to_numpy(np.int64), harmless=True)
_columns("labels that are floats", lambda c: c.astype("category").cat.codes.to_numpy(np.float64) / 2, harmless=True)
_columns("labels that are booleans", lambda c: c.astype("category").cat.codes.to_numpy() == 0, harmless=True)
_columns("labels of mixed types", lambda c: [(i, "a")[i % 2] if i < 4 else "b" for i in range(len(c))])
_columns("ordered labels", lambda c: c.astype("category").cat.as_ordered(), harmless=True)
_columns("foreign labels", lambda c: c.astype(str) + " /\U0001f9ec\n" + "ä" * 300, harmless=True)
_columns("labels in pandas' own text type", lambda c: c.astype(str).astype("string"), harmless=True)


@case("labels")
def columns_gone(a: ad.AnnData) -> ad.AnnData:
    a.obs = a.obs[[]]
    return a


# The choice of genes


def _genes(name: str, make: Callable[[ad.AnnData], Any], *, harmless: bool = False) -> None:
    def mark(a: ad.AnnData) -> ad.AnnData:
        a.var["highly_variable"] = make(a)
        return a

    case("genes", name, harmless=harmless)(mark)


_genes("no gene chosen", lambda a: False)
_genes("one gene chosen", lambda a: np.arange(a.n_vars) == 2)
_genes("choice as text", lambda a: "True")
_genes("choice as numbers", lambda a: np.arange(a.n_vars) % 2)
_genes("choice not known for a gene", lambda a: [None, *([True] * (a.n_vars - 1))])
_genes("choice in pandas' own type", lambda a: pd.array([True] * a.n_vars, dtype="boolean"), harmless=True)


# What earlier calls left


def _embedding(name: str, make: Callable[[np.ndarray], Any], *, harmless: bool = False) -> None:
    def replace(a: ad.AnnData) -> ad.AnnData:
        made = make(np.array(a.obsm["X_clr"]))
        if isinstance(made, pd.DataFrame):
            made.index = a.obs_names
        a.obsm["X_clr"] = made
        return a

    case("embedding", name, harmless=harmless)(replace)


_embedding("embedding with a NaN", lambda r: _put(r, (2, 0), np.nan))
_embedding("embedding with infinity", lambda r: _put(r, (2, 0), np.inf))
_embedding("embedding beyond float32", lambda r: _put(r.astype(np.float64), (2, 0), 1e300))
_embedding("embedding all the same", lambda r: r * 0 + 1)
_embedding("embedding of one dimension", lambda r: r[:, :1])
_embedding("embedding of no dimension", lambda r: r[:, :0])
_embedding("embedding as a cube", lambda r: r[:, :, None])
_embedding("embedding of text", lambda r: np.full(r.shape, "a"))
_embedding("embedding of whole numbers", lambda r: np.rint(r * 9).astype(np.int64), harmless=True)
_embedding("embedding in half precision", lambda r: r.astype(np.float16), harmless=True)
_embedding("sparse embedding", sparse.csr_matrix)
_embedding("embedding as a DataFrame", lambda r: pd.DataFrame(r).rename(columns=str), harmless=True)


@case("embedding")
def no_embedding(a: ad.AnnData) -> ad.AnnData:
    a.obsm.clear()
    return a


def _records(name: str, make: Callable[[Any], Any]) -> None:
    def replace(a: ad.AnnData) -> ad.AnnData:
        for key in [key for key in a.uns if key.startswith("clr")]:
            a.uns[key] = make(a.uns[key])
        return a

    case("records", name)(replace)


_records("records as text", lambda r: "what was here?")
_records("records empty", lambda r: {})
_records("records None", lambda r: None)
_records("records as arrays", lambda r: np.arange(3))
_records("records without parameters", lambda r: {k: v for k, v in r.items() if k != "params"})
_records("records with nothing but parameters", lambda r: {"params": r.get("params", {})})


@case("records")
def no_records(a: ad.AnnData) -> ad.AnnData:
    a.uns.clear()
    return a
