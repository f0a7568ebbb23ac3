"""Batches from a column, and columns that are none."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from anndata_state import unchanged
from joined import joined
from scclr_ext._batches import batch_codes, batch_names, recorded_batch_key


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


@pytest.mark.parametrize(
    "column", [["b", "a", "b", "a"], [10, 9, 10, 9], [2.0, 0.5, 2.0, 0.5], [True, False, True, False]]
)
@pytest.mark.parametrize("categorical", [False, True])
def test_names_are_in_the_order_of_the_codes(column, categorical) -> None:
    adata = ad.AnnData(np.zeros((4, 1), dtype=np.float32), obs=pd.DataFrame({"run": column}, index=list("wxyz")))
    if categorical:
        adata.obs["run"] = adata.obs["run"].astype("category")
    named = [batch_names(adata, "run")[code] for code in batch_codes(adata, "run")]
    assert named == [str(value) for value in column]


@pytest.mark.parametrize("change", ["renamed", "missing"])
def test_batches_that_an_embedding_was_told_of_and_that_are_gone(counts, change) -> None:
    counts.uns["clr"] = {"params": {"obsm_key": "X_clr", "batch_key": "batch"}, "history": {}}
    assert recorded_batch_key(counts, "clr") == "batch"
    if change == "renamed":
        counts.obs = counts.obs.rename(columns={"batch": "lane"})
    else:
        counts.obs["batch"] = counts.obs["batch"].where(np.arange(counts.n_obs) > 3)
    with pytest.warns(UserWarning, match=r"told of the batches in adata.obs\['batch'\] .*uns\['clr'\].*one batch"):
        assert recorded_batch_key(counts, "clr") is None


@pytest.mark.parametrize("how", ["same", "unique", "first"])
def test_batches_of_embeddings_that_were_joined(counts, how) -> None:
    both = joined(counts, how)
    assert recorded_batch_key(both, "clr") == "batch"
    del both.obs["batch"]
    with pytest.warns(UserWarning, match=r"told of the batches in adata.obs\['batch'\]"):
        assert recorded_batch_key(both, "clr") is None
