"""The number of genes: chosen by the rule that is written down, and preprocessing with it as by hand."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze, unchanged
from scclr_ext.pp import _select_n_top_genes, contrastive_preprocess, select_n_top_genes

TRIED = (20, 80, 300)
FAST = {"candidates": TRIED, "n_splits": 1}


def make(n_cells: int = 100, n_genes: int = 400, *, seed: int = 0, kind=sparse.csr_matrix) -> ad.AnnData:
    """Counts of four groups, told apart by 100 genes."""
    rng = np.random.default_rng(seed)
    group = np.arange(n_cells) % 4
    rate = rng.gamma(2.0, 2.0, n_genes)
    fold = np.ones((4, n_genes))
    fold[:, :100] = np.exp(rng.normal(size=(4, 100)))
    counts = rng.poisson(rate * fold[group]).astype(np.float32)
    obs = pd.DataFrame(
        {"donor": pd.Categorical([f"d{i % 2}" for i in range(n_cells)])}, index=[f"c{i}" for i in range(n_cells)]
    )
    var = pd.DataFrame({"nuclear": np.arange(n_genes) % 5 > 0}, index=[f"g{i}" for i in range(n_genes)])
    return ad.AnnData(kind(counts), obs=obs, var=var)


def test_all_is_as_preprocessing_by_hand_leaves_it() -> None:
    adata, by_hand = make(), make()
    select_n_top_genes(adata, **FAST)
    record = adata.uns.pop("clr_n_top_genes")
    contrastive_preprocess(by_hand, n_top_genes=record["n_top_genes"])
    assert freeze(adata.X) == freeze(by_hand.X)
    assert freeze(adata.var) == freeze(by_hand.var)
    assert freeze(dict(adata.uns)) == freeze(dict(by_hand.uns))
    assert freeze(dict(adata.layers)) == freeze(dict(by_hand.layers))
    assert adata.var["highly_variable"].sum() == record["n_top_genes"]


@pytest.mark.parametrize(("method", "usual"), [("clear", 2000), ("contrastive-sc", 500)])
@pytest.mark.parametrize("tolerance", [0, 0.1, 0.5])
def test_the_nearest_to_the_usual_that_is_good_enough(method, usual, tolerance) -> None:
    adata = make(n_genes=900)
    select_n_top_genes(adata, method, candidates=(20, 100, 400, 900), n_splits=1, tolerance=tolerance)
    record = adata.uns["clr_n_top_genes"]
    assert record["candidates"][:3].tolist() == [20, 100, 400]
    best = record["morans_i"].max()
    assert best > 0.02
    good = [
        n for n, score in zip(record["candidates"], record["morans_i"], strict=True) if score >= best * (1 - tolerance)
    ]
    assert record["n_top_genes"] == min(good, key=lambda n: max(n / usual, usual / n))


def test_the_usual_number_is_given_up_where_it_costs() -> None:
    numbers = []
    for tolerance in (0.99, 0.05):
        adata = make(n_genes=1200)
        select_n_top_genes(adata, candidates=(100, 1000), tolerance=tolerance)
        record = adata.uns["clr_n_top_genes"]
        numbers.append(record["candidates"].tolist().index(record["n_top_genes"]))
    assert numbers == [1, 0]


def test_informative_genes_suffice() -> None:
    adata = make(n_genes=1000)
    select_n_top_genes(adata, candidates=(10, 100, 1000), tolerance=0)
    assert adata.uns["clr_n_top_genes"]["n_top_genes"] == 100


def test_preprocessed_values_give_the_same_choice() -> None:
    raw, logged = make(), make()
    contrastive_preprocess(logged)
    select_n_top_genes(raw, **FAST)
    select_n_top_genes(logged, **FAST)
    np.testing.assert_allclose(
        raw.uns["clr_n_top_genes"]["morans_i"], logged.uns["clr_n_top_genes"]["morans_i"], atol=1e-3
    )
    assert (raw.var["highly_variable"] == logged.var["highly_variable"]).all()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_formats_agree(kind) -> None:
    first, second = make(), make(kind=kind)
    for adata in (first, second):
        select_n_top_genes(adata, **FAST)
    np.testing.assert_allclose(
        first.uns["clr_n_top_genes"]["morans_i"], second.uns["clr_n_top_genes"]["morans_i"], atol=3e-3
    )  # rounding may put another gene last


@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_only_the_sample_is_converted(monkeypatch, kind) -> None:
    convert, shapes = _select_n_top_genes.to_memory, []
    monkeypatch.setattr(
        _select_n_top_genes,
        "to_memory",
        lambda values, where: shapes.append(values.shape) or convert(values, where=where),
    )
    adata = make(kind=kind)
    select_n_top_genes(adata, **FAST, max_cells=60)
    assert shapes == [(60, adata.n_vars)]


def test_seeds() -> None:
    first, again, other = make(), make(), make()
    select_n_top_genes(first, **FAST, random_state=1, max_cells=60)
    select_n_top_genes(again, **FAST, random_state=1, max_cells=60)
    select_n_top_genes(other, **FAST, random_state=2, max_cells=60)
    records = [adata.uns["clr_n_top_genes"] for adata in (first, again, other)]
    assert freeze(records[0]) == freeze(records[1])
    assert not np.array_equal(records[0]["morans_i"], records[2]["morans_i"])
    assert records[0]["n_cells"] == 60


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].tobytes()
    select_n_top_genes(make(), **FAST)
    assert np.random.get_state()[1].tobytes() == before


def test_a_layer_a_copy_a_file(tmp_path) -> None:
    adata = make()
    adata.layers["raw"] = adata.X.copy()
    adata.X = sparse.csr_matrix(adata.shape, dtype=np.float32)
    with unchanged(adata):
        changed = select_n_top_genes(adata, layer="raw", **FAST, copy=True)
    direct = make()
    assert select_n_top_genes(direct, **FAST) is None
    assert freeze(changed.uns["clr_n_top_genes"]) == freeze(direct.uns["clr_n_top_genes"])
    assert (changed.var["highly_variable"] == direct.var["highly_variable"]).all()
    changed.write_h5ad(tmp_path / "cells.h5ad")
    assert_reads_back(ad.read_h5ad(tmp_path / "cells.h5ad").uns, changed.uns)


def test_masked_genes_neither_place_nor_predict() -> None:
    adata = make()
    select_n_top_genes(adata, **FAST, mask_genes="nuclear")
    assert not adata.var["highly_variable"][~adata.var["nuclear"]].any()
    only = make()[:, make().var["nuclear"]].copy()
    contrastive_preprocess(full := make())
    only.X = full[:, only.var_names].X  # the library sizes are those of all genes
    select_n_top_genes(only, **FAST)
    np.testing.assert_allclose(
        adata.uns["clr_n_top_genes"]["morans_i"].max(), only.uns["clr_n_top_genes"]["morans_i"].max(), atol=0.05
    )


def test_batches_are_ranked_apart() -> None:
    adata, by_hand = make(), make()
    select_n_top_genes(adata, candidates=(40, 80), batch_key="donor")
    n_top_genes = adata.uns["clr_n_top_genes"]["n_top_genes"]
    contrastive_preprocess(by_hand, n_top_genes=n_top_genes, batch_key="donor")
    assert (adata.var["highly_variable"] == by_hand.var["highly_variable"]).all()
    together = make()
    select_n_top_genes(together, candidates=(40, 80))
    assert not np.array_equal(adata.uns["clr_n_top_genes"]["morans_i"], together.uns["clr_n_top_genes"]["morans_i"])


def test_backed_by_a_file(tmp_path) -> None:
    make().write_h5ad(tmp_path / "cells.h5ad")
    stored, held = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r"), make()
    for adata in (stored, held):
        select_n_top_genes(adata, **FAST, max_cells=80)
    np.testing.assert_allclose(
        stored.uns["clr_n_top_genes"]["morans_i"], held.uns["clr_n_top_genes"]["morans_i"], atol=1e-5
    )
    assert (stored.var["highly_variable"] == held.var["highly_variable"]).all()


def test_numbers_above_what_there_is() -> None:
    adata = make(n_genes=100)
    select_n_top_genes(adata, candidates=(50, 5000, 8000))
    assert adata.uns["clr_n_top_genes"]["candidates"].tolist() == [50, 100]


def test_one_candidate_is_taken() -> None:
    adata = make()
    select_n_top_genes(adata, "contrastive-sc", candidates=[30])
    assert adata.var["highly_variable"].sum() == 30
    assert adata.uns["clr_preprocess"]["method"] == "contrastive-sc"


def scaled(adata: ad.AnnData) -> None:
    adata.X = adata.X.toarray() - 5


@pytest.mark.parametrize(
    ("options", "prepare", "error", "words"),
    [
        ({"candidates": ()}, None, ValueError, "`candidates`"),
        ({"candidates": (20.5,)}, None, ValueError, "`candidates`"),
        ({"candidates": 500}, None, ValueError, "`candidates`.*found 500"),
        ({"candidates": (1,)}, None, ValueError, "`candidates`"),
        ({"tolerance": 1}, None, ValueError, "`tolerance`"),
        ({"tolerance": -0.1}, None, ValueError, "`tolerance`"),
        ({"n_splits": 0}, None, ValueError, "`n_splits`"),
        ({"n_neighbors": 0}, None, ValueError, "`n_neighbors`"),
        ({"max_cells": 9}, None, ValueError, "`max_cells`"),
        ({"random_state": -1}, None, ValueError, "`random_state`"),
        ({"method": "nosuch"}, None, ValueError, "`method`"),
        ({"layer": "nosuch"}, None, KeyError, "nosuch"),
        ({"batch_key": "nosuch"}, None, KeyError, "nosuch"),
        ({"mask_genes": "nosuch"}, None, KeyError, "nosuch"),
        ({"mask_genes": np.arange(400) < 3}, None, ValueError, "adata has 3 genes"),
        ({}, scaled, ValueError, "negative"),
    ],
)
def test_bad_input_changes_nothing(options, prepare, error, words) -> None:
    adata = make()
    if prepare:
        prepare(adata)
    with unchanged(adata), pytest.raises(error, match=words):
        select_n_top_genes(adata, **(FAST | options))


def test_few_cells() -> None:
    adata = make(9)
    with unchanged(adata), pytest.raises(ValueError, match="9 cells"):
        select_n_top_genes(adata, **FAST)
    tiny = make(10)
    select_n_top_genes(tiny, **FAST)
    assert tiny.var["highly_variable"].sum() in TRIED


def test_real_cells(load_shared) -> None:
    adata = load_shared("yan")
    select_n_top_genes(adata, n_splits=1)
    table = clr.get.n_top_genes(adata)
    assert table["morans_i"].between(0.2, 0.6).all()
    assert table["chosen"].sum() == 1
