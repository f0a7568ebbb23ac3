"""Values that are normalised when they are read: taken for what they are, however few of them are looked at."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scclr_ext as clr
from scclr_ext._values.deferred import still_deferred
from scclr_ext.tl._embedding.library_size import find_target_sum

QUICK = {"n_steps": 3, "device": "cpu", "progress": False}


def cells() -> ad.AnnData:
    """Fractions of counts, as of a correction for ambient RNA; only the first gene is beyond any logarithm."""
    rng = np.random.default_rng(0)
    values = rng.poisson(np.linspace(0.5, 2.0, 40), (60, 40)) * 0.9
    values[:, 0] = rng.poisson(300, 60) * 0.9
    adata = ad.AnnData(sparse.csr_matrix(values.astype(np.float32)))
    adata.var["usable"] = np.arange(40) > 0
    adata.obs["group"] = pd.Categorical(["a", "b"] * 30)
    return adata


def preprocess(adata: ad.AnnData, *, defer: bool) -> ad.AnnData:
    clr.pp.contrastive_preprocess(adata, n_top_genes=15, mask_genes="usable", defer=defer)
    return adata


@pytest.fixture
def deferred() -> ad.AnnData:
    return preprocess(cells(), defer=True)


@pytest.fixture
def at_once() -> ad.AnnData:
    return preprocess(cells(), defer=False)


def embedding(adata: ad.AnnData) -> np.ndarray:
    clr.tl.contrastive_embed(adata, **QUICK)
    return adata.obsm["X_clr"]


def test_what_is_as_small_as_logarithms_is_normalised_all_the_same(deferred, at_once) -> None:
    assert deferred.X[:, deferred.var["highly_variable"].to_numpy()].max() < 30
    assert np.array_equal(embedding(deferred), embedding(at_once))


def test_in_a_file_as_well(deferred, at_once, tmp_path) -> None:
    deferred.write_h5ad(tmp_path / "cells.h5ad")
    assert np.array_equal(embedding(sc.read_h5ad(tmp_path / "cells.h5ad", backed="r")), embedding(at_once))


def test_a_gene_of_small_values_is_shown_like_any_other(deferred, at_once) -> None:
    alone = clr.get.scores_by_group(deferred, "39", groupby="group")
    beside = clr.get.scores_by_group(deferred, ["39", "0"], groupby="group")
    both = clr.get.scores_by_group(at_once, "39", groupby="group")
    numbers = both.select_dtypes("number").columns
    assert np.allclose(alone[numbers], both[numbers])
    assert len(beside) > len(alone)


def test_who_normalises_them_after_all_gets_them_as_they_are(deferred, at_once) -> None:
    sc.pp.normalize_total(deferred, target_sum=1e4)
    sc.pp.log1p(deferred)
    assert np.allclose(embedding(deferred), embedding(at_once), atol=1e-2)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("fewer", [False, True])
def test_what_cells_add_up_to_tells(deferred, normalised, fewer) -> None:
    if normalised:
        sc.pp.normalize_total(deferred, target_sum=1e4)
        sc.pp.log1p(deferred)
    if fewer:
        deferred = deferred[:, 5:].copy()
    record = deferred.uns["clr_preprocess"]
    assert still_deferred(deferred, record, deferred.X, "counts") is not normalised


def test_without_library_sizes_it_says_so(deferred) -> None:
    del deferred.obs["clr_library_size"]
    with pytest.raises(KeyError, match="clr_library_size"):
        embedding(deferred)


def test_medians_of_samples_that_were_joined(deferred) -> None:
    deferred.uns["clr_preprocess"]["target_sum"] = "median"
    deferred.uns["clr_preprocess"].pop("library_size", None)  # as anndata.concat leaves out what differs
    with pytest.raises(ValueError, match=r"uns\['clr_preprocess'\] .*median.*preprocessed apart.*all cells"):
        embedding(deferred)


@pytest.mark.parametrize("defer", [True, False])
def test_values_normalised_anew_say_to_which_size(defer) -> None:
    adata = cells()
    counts = adata.copy()
    preprocess(adata, defer=defer)
    if not defer:
        adata.X = counts.X.copy()
    sc.pp.normalize_total(adata, target_sum=1000)
    sc.pp.log1p(adata)
    clr.tl.contrastive_embed(adata, n_steps=5, device="cpu", progress=False)
    assert adata.uns["clr"]["preprocess"]["target_sum"] == pytest.approx(1000)
    mapped = clr.tl.map_query(counts, adata, device="cpu", copy=True)
    np.testing.assert_allclose(mapped.obsm["X_clr"], adata.obsm["X_clr"], atol=1e-3)


def small_counts() -> ad.AnnData:
    rng = np.random.default_rng(0)
    return ad.AnnData(sparse.csr_matrix(rng.poisson(np.linspace(0.3, 3.0, 40), (60, 40)).astype(np.float32)))


@pytest.mark.parametrize("change", ["normalised", "thinned", "doubled", "doubled, and cut"])
def test_counts_that_were_changed_since_are_refused(change) -> None:
    adata = small_counts()
    clr.pp.contrastive_preprocess(adata, n_top_genes=15, defer=True)
    if change == "normalised":
        sc.pp.normalize_total(adata, target_sum=1e4)
    elif change == "thinned":
        sc.pp.downsample_counts(adata, counts_per_cell=20)
    else:
        adata.X = adata.X * 3
    if "cut" in change:
        adata = adata[:, 2:].copy()
    with pytest.raises(ValueError, match="were changed since: cells no longer add up.*contrastive_preprocess"):
        embedding(adata)


def test_counts_with_fewer_genes_are_normalised_as_before() -> None:
    adata = small_counts()
    clr.pp.contrastive_preprocess(adata, n_top_genes=15, defer=True)
    fewer = adata[:, adata.var["highly_variable"]].copy()
    assert np.array_equal(embedding(fewer), embedding(adata))


def test_logarithms_of_deferred_counts_are_looked_at_like_any() -> None:
    adata = small_counts()
    clr.pp.contrastive_preprocess(adata, n_top_genes=15, defer=True)
    sc.pp.log1p(adata)
    adata.obs_names = [f"new{i}" for i in range(60)]
    joined = ad.concat(
        [adata, adata], index_unique="-", uns_merge="first", merge="first"
    )  # more than preprocessing saw
    with pytest.warns(UserWarning, match="logarithms of counts that were not normalised"):
        embedding(joined)


class Columns:
    """A matrix in a file, stored column by column."""

    format, shape = "csc", (60, 40)

    def __getitem__(self, index):
        pytest.fail("asked for rows, which takes as long as reading all of it")


def test_of_a_file_that_is_read_by_columns_no_rows_are_asked_for() -> None:
    adata = small_counts()
    clr.pp.contrastive_preprocess(adata, n_top_genes=15, defer=True)
    assert still_deferred(adata, adata.uns["clr_preprocess"], Columns(), "counts")
    assert not still_deferred(adata, adata.uns["clr_preprocess"], Columns(), "log-normalized")
    assert find_target_sum(adata, Columns(), None) == 1e4
