"""The small things done with an AnnData: look up, check, convert."""

from __future__ import annotations

import runpy
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scclr_ext import _anndata
from scclr_ext._anndata import (
    apart,
    as_actual,
    batch_codes,
    check_key_added,
    check_random_state,
    check_unique,
    chunks,
    get_matrix,
    get_rep,
    to_memory,
)
from scclr_ext._keys import embedding_keys

STATE = runpy.run_path(str(Path(__file__).parent / "anndata_state.py"))
freeze, unchanged = STATE["freeze"], STATE["unchanged"]
VALUES = np.array([[0.0, 1.5, 0.0], [2.0, 0.0, 3.0]])


# The helper that the other tests rely on must see every change.


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.X.data.__setitem__(0, 99),
        lambda a: setattr(a, "X", a.X.astype(np.float64)),
        lambda a: setattr(a, "X", sparse.csr_array(a.X)),
        lambda a: setattr(a, "obs", a.obs.astype({"batch": str})),
        lambda a: a.obs.__setitem__("new", 1),
        lambda a: setattr(a, "obs_names", a.obs_names[::-1]),
        lambda a: a.var.__setitem__("new", 1.0),
        lambda a: a.uns.__setitem__("new", {}),
        lambda a: a.uns["deep"]["er"].__setitem__("x", 1.0),
        lambda a: a.uns["deep"]["array"].__setitem__(0, -1),
        lambda a: a.obsm["X_old"].__setitem__((0, 0), -1),
        lambda a: a.obsm.__setitem__("X_new", a.obsm["X_old"]),
        lambda a: a.obsp.__setitem__("p", sparse.csr_matrix((200, 200))),
        lambda a: a.layers.__setitem__("l", a.X.copy()),
        lambda a: a.varm.__setitem__("v", np.ones((300, 2))),
        lambda a: a.raw.X.data.__setitem__(0, 99),
    ],
)
def test_unchanged_notices(counts, change) -> None:
    counts.obsm["X_old"] = np.zeros((200, 2))
    counts.uns["deep"] = {"er": {"x": 1}, "array": np.arange(3)}
    counts.raw = counts.copy()
    with unchanged(counts):
        pass
    with pytest.raises(AssertionError), unchanged(counts):
        change(counts)


def test_unchanged_ignores_a_read(counts) -> None:
    with unchanged(counts):
        counts.X.sum()
        counts[3:5].copy()


# get_matrix


def test_get_matrix_takes_the_layer_or_x(counts) -> None:
    counts.layers["other"] = other = sparse.csr_matrix(counts.shape, dtype=np.float32)
    assert get_matrix(counts, None) is counts.X
    assert get_matrix(counts, "other") is other
    with pytest.raises(KeyError, match=r"layer='nope'.*found 'other'"):
        get_matrix(counts, "nope")


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_get_matrix_makes_places_and_row_starts_of_one_type_without_copying(counts, kind) -> None:
    matrix = kind(counts.X)
    matrix.indptr = matrix.indptr.astype(np.int64)  # as anndata reads them from a file
    counts.X = matrix
    assert counts.X.indices.dtype != counts.X.indptr.dtype
    made = get_matrix(counts, None)
    assert made.indices.dtype == made.indptr.dtype == np.int32
    assert type(made) is kind
    assert np.shares_memory(made.indices, counts.X.indices)
    assert np.shares_memory(made.data, counts.X.data)
    assert abs(made - matrix).max() == 0


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_get_matrix_makes_places_as_large_as_row_starts_must_be(counts, monkeypatch, kind) -> None:
    matrix = kind(counts.X)
    matrix.indptr = matrix.indptr.astype(np.int64)
    counts.X = matrix
    monkeypatch.setattr(_anndata, "_MOST_PLACES", matrix.nnz - 1)
    made = get_matrix(counts, None)
    assert made.indices.dtype == made.indptr.dtype == np.int64
    assert counts.X.indices.dtype == np.int32
    assert type(made) is kind
    assert np.shares_memory(made.data, counts.X.data)
    assert abs(made - matrix).max() == 0


def test_messages_list_ten_names_at_most(counts) -> None:
    for i in range(30):
        counts.obs[f"column{i}"] = i
    with pytest.raises(KeyError) as caught:
        batch_codes(counts, "nope")
    assert caught.value.args[0].count("column") == 9  # "is not a column", and eight after 'group' and 'batch'


# apart


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_what_shares_memory_is_copied(kind, dtype) -> None:
    matrix = kind(VALUES.astype(dtype))
    values = to_memory(matrix, where="X")
    found = apart(values, matrix)
    shared = dtype == np.float32 and kind is not sparse.csc_matrix
    assert (found is values) == (not shared)
    before = matrix.copy()
    (found if isinstance(found, np.ndarray) else found.data)[:] = 9
    assert abs(matrix - before).max() == 0


def test_places_are_copied_where_they_are_shared() -> None:
    matrix = sparse.csr_matrix(VALUES)
    values = sparse.csr_matrix((matrix.data.copy(), matrix.indices, matrix.indptr), shape=matrix.shape)
    assert not np.shares_memory(apart(values, matrix).indices, matrix.indices)


def test_of_unknown_matrices_values_are_copied() -> None:
    values = VALUES.copy()
    assert not np.shares_memory(apart(values, object()), values)


# to_memory


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.coo_array, np.array])
def test_to_memory_gives_float32_rows(kind) -> None:
    made = to_memory(kind(VALUES), where="here")
    assert made.dtype == np.float32
    assert isinstance(made, np.ndarray) or made.format == "csr"
    np.testing.assert_array_equal(made.toarray() if sparse.issparse(made) else made, VALUES)


def test_to_memory_reads_files(tmp_path) -> None:
    for name, kind in (("sparse", sparse.csr_matrix), ("dense", np.array)):
        ad.AnnData(kind(VALUES)).write_h5ad(path := tmp_path / f"{name}.h5ad")
        backed = ad.read_h5ad(path, backed="r")
        made = to_memory(backed.X, where="here")
        backed.file.close()
        np.testing.assert_array_equal(made.toarray() if sparse.issparse(made) else made, VALUES)
        assert made.dtype == np.float32


def test_masked_values_count_as_zero() -> None:
    masked = np.ma.MaskedArray(VALUES, mask=VALUES == 3)
    np.testing.assert_array_equal(to_memory(masked, where="here"), np.where(VALUES == 3, 0, VALUES))


def test_repeated_entries_are_summed_in_a_copy() -> None:
    twice = sparse.csr_matrix((np.array([1.0, 2.0], np.float32), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
    before = freeze(twice)
    np.testing.assert_array_equal(to_memory(twice, where="here").toarray(), [[0, 3, 0]])
    assert freeze(twice) == before


@pytest.mark.parametrize("place", [0, 6, 11])
def test_every_piece_is_checked(monkeypatch, place) -> None:
    monkeypatch.setattr(_anndata, "_CHUNK", 5)
    values = np.ones((3, 4), dtype=np.float32)
    assert [len(part) for part in chunks(values)] == [5, 5, 2]
    values.flat[place] = np.nan
    for matrix in (values, sparse.csr_matrix(values)):
        with pytest.raises(ValueError, match="here holds NaN"):
            to_memory(matrix, where="here")


def test_to_memory_wants_numbers() -> None:
    with pytest.raises(TypeError, match="here holds <U1 values"):
        to_memory(np.array([["a"]]), where="here")


# batch_codes


@pytest.mark.parametrize(
    "column",
    [
        ["b", "a", "b"],
        [2, 1, 2],
        [2.5, 0.5, 2.5],
        [True, False, True],
        pd.Categorical(["b", "a", "b"], categories=["unused", "b", "a"]),
        ["ö/2", "ä 1", "ö/2"],
    ],
)
def test_batch_codes(column) -> None:
    adata = ad.AnnData(np.zeros((3, 1)), obs=pd.DataFrame({"run": column}, index=list("xyz")))
    codes = batch_codes(adata, "run")
    assert codes.dtype == np.int64
    assert codes.tolist() in ([1, 0, 1], [0, 1, 0])


MEASURED = np.random.default_rng(0).gamma(2.0, 3.0, 200)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (MEASURED, "200 different numbers with fractions"),
        (MEASURED.round(1), "different numbers with fractions"),  # many cells share one
        ((100 * MEASURED).round(), "own for 1[0-9][0-9] of 200 cells"),
        ([f"cell{i}" for i in range(200)], "own for 200 of 200 cells"),
        ([f"cell{min(i, 101)}" for i in range(200)], "own for 101 of 200 cells"),
    ],
)
def test_what_can_be_no_batch(counts, column, message) -> None:
    counts.obs["run"] = column
    with unchanged(counts), pytest.raises(ValueError, match=rf"obs\['run'\] \(`batch_key`\).*{message}.*; give"):
        batch_codes(counts, "run")


@pytest.mark.parametrize(
    "column",
    [
        np.arange(200) // 2,
        np.arange(200) // 10 / 2,  # half numbers, twenty of them
        [f"cell{min(i, 100)}" for i in range(200)],
    ],
)
def test_odd_batches(counts, column) -> None:
    counts.obs["run"] = column
    assert len(np.unique(batch_codes(counts, "run"))) == len(set(column))


def test_a_few_cells_may_be_alone(counts) -> None:
    few = counts[:10].copy()
    few.obs["run"] = range(10)
    assert batch_codes(few, "run").tolist() == list(range(10))


@pytest.mark.parametrize("batch_key", [["batch", "group"], ("batch",), 3])
def test_batch_key_is_one_name(counts, batch_key) -> None:
    with pytest.raises(TypeError, match=r"`batch_key` must be the name of one column of adata\.obs; found .*Make one"):
        batch_codes(counts, batch_key)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_batch_codes_wants_every_cell(missing) -> None:
    for column in (["a", missing, "a"], pd.Categorical(["a", missing, "a"])):
        adata = ad.AnnData(np.zeros((3, 1)), obs=pd.DataFrame({"run": column}, index=list("xyz")))
        with pytest.raises(ValueError, match=r"adata\.obs\['run'\] is missing for 1 cells; fill"):
            batch_codes(adata, "run")


# Views, names, embeddings


def test_as_actual(counts) -> None:
    view = counts[:10]
    alone = view.copy()
    with unchanged(counts):
        as_actual(view)
        view.obs["new"] = 1
    assert not view.is_view
    assert freeze(view.X) == freeze(alone.X)
    before = counts.X
    as_actual(counts)
    assert counts.X is before


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
def test_as_actual_reads_a_view_of_a_file(tmp_path, kind) -> None:
    ad.AnnData(kind(VALUES)).write_h5ad(tmp_path / "file.h5ad")
    backed = ad.read_h5ad(tmp_path / "file.h5ad", backed="r")
    view = backed[:1]
    as_actual(view)
    assert (view.is_view, view.isbacked) == (False, False)
    np.testing.assert_array_equal(np.asarray(view.X.todense() if sparse.issparse(view.X) else view.X), VALUES[:1])
    backed.file.close()


def test_check_unique() -> None:
    check_unique(ad.AnnData(VALUES))
    with pytest.warns(UserWarning, match="not unique"):
        adata = ad.AnnData(VALUES, var=pd.DataFrame(index=["g", "g", "h"]))
    with pytest.raises(ValueError, match=r"'g'.*var_names_make_unique"):
        check_unique(adata)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, pd.DataFrame, lambda m: m.astype(int)])
def test_get_rep(counts, kind) -> None:
    values = np.arange(600.0).reshape(200, 3)
    made = kind(values)
    counts.obsm["rep"] = made.set_axis(counts.obs_names).rename(columns=str) if kind is pd.DataFrame else made
    rep = get_rep(counts, "rep")
    assert (type(rep), rep.dtype) == (np.ndarray, np.float32)
    np.testing.assert_array_equal(rep, values)


def test_get_rep_refuses(counts) -> None:
    with pytest.raises(KeyError, match=r"use_rep='X_clr'.*found none.*contrastive_embed"):
        get_rep(counts, "X_clr")
    counts.obsm["cube"] = np.zeros((200, 2, 2))
    counts.obsm["holes"] = np.full((200, 2), np.nan)
    for key in ("cube", "holes"):
        with pytest.raises(ValueError, match=rf"obsm\['{key}'\] is not a matrix of finite numbers"):
            get_rep(counts, key)
    counts.obsm["rep"] = np.zeros((200, 2))
    with pytest.raises(ValueError, match="2 cells.*at least 3"):
        get_rep(counts[:2], "rep")
    assert get_rep(counts[:3], "rep").shape == (3, 2)


def test_embedding_keys() -> None:
    assert embedding_keys(None) == ("X_clr", "clr")
    assert embedding_keys("foo") == ("foo", "foo")


@pytest.mark.parametrize("key", ["", "a/b", 0, b"x"])
def test_key_added_must_be_a_name_that_a_file_can_hold(key) -> None:
    with pytest.raises(ValueError, match="`key_added`"):
        check_key_added(key)


@pytest.mark.parametrize("key", [None, "X_clr", "ünïcode", "with space"])
def test_any_other_key_is_fine(key) -> None:
    check_key_added(key)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", None])
def test_a_seed_is_a_whole_number_of_32_bits(seed) -> None:
    with pytest.raises(ValueError, match="`random_state`"):
        check_random_state(seed)


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7), np.uint8(3)])
def test_a_seed_comes_back_as_a_plain_number(seed) -> None:
    assert check_random_state(seed) == seed
    assert type(check_random_state(seed)) is int
