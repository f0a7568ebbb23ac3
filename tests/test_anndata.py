"""The small things done with an AnnData: look up, check, convert."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from anndata_state import freeze, unchanged
from scclr_ext._anndata import check_unique, get_rep, writable
from scclr_ext._batches import batch_codes
from scclr_ext._checks import check_key_added, check_random_state
from scclr_ext._keys import embedding_keys

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


def test_messages_list_ten_names_at_most(counts) -> None:
    for i in range(30):
        counts.obs[f"column{i}"] = i
    with pytest.raises(KeyError) as caught:
        batch_codes(counts, "nope")
    assert caught.value.args[0].count("column") == 9  # "is not a column", and eight after 'group' and 'batch'


# apart


def test_writable(counts) -> None:
    view = counts[:10]
    alone = view.copy()
    with unchanged(counts):
        assert writable(view, copy=False) is view
        view.obs["new"] = 1
        for adata in (counts, counts[:10]):
            other = writable(adata, copy=True)
            other.obs["new"] = 1
    assert not view.is_view
    assert freeze(view.X) == freeze(alone.X)
    before = counts.X
    assert writable(counts, copy=False) is counts
    assert counts.X is before


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
def test_writable_reads_a_view_of_a_file(tmp_path, kind) -> None:
    ad.AnnData(kind(VALUES)).write_h5ad(tmp_path / "file.h5ad")
    backed = ad.read_h5ad(tmp_path / "file.h5ad", backed="r")
    view = backed[:1]
    assert writable(view, copy=False) is view
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
    with pytest.raises(ValueError, match="at least 3 cells; adata has 2"):
        get_rep(counts[:2], "rep")
    assert get_rep(counts[:3], "rep").shape == (3, 2)


def test_embedding_keys() -> None:
    assert embedding_keys(None) == ("X_clr", "clr")
    assert embedding_keys("foo") == ("foo", "foo")


@pytest.mark.parametrize("key", ["", "a/b", 0, b"x"])
def test_key_added_must_be_a_name_that_a_file_can_hold(key) -> None:
    with pytest.raises(ValueError, match="`key_added`"):
        check_key_added(key)


@pytest.mark.parametrize("key", ["X_clr", "ünïcode", "with space"])
def test_any_other_key_is_fine(key) -> None:
    check_key_added(key)
    check_key_added(key, or_none=True)


def test_none_is_a_key_only_where_it_stands_for_the_usual_ones() -> None:
    check_key_added(None, or_none=True)
    with pytest.raises(ValueError, match="found None"):
        check_key_added(None)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", None])
def test_a_seed_is_a_whole_number_of_32_bits(seed) -> None:
    with pytest.raises(ValueError, match="`random_state`"):
        check_random_state(seed)


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7), np.uint8(3)])
def test_a_seed_comes_back_as_a_plain_number(seed) -> None:
    assert check_random_state(seed) == seed
    assert type(check_random_state(seed)) is int
