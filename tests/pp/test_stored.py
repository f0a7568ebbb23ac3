"""Preprocessing of data that are not in memory: the same genes as in memory, and the values left as they are."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scclr_ext as clr
from scclr_ext.engine import hold
from scclr_ext.pp import contrastive_preprocess
from stored import PLACES, stored

STATISTICS = ["means", "dispersions", "dispersions_norm"]
COLUMNS = ["highly_variable", *STATISTICS]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(hold, "block_rows", lambda n_genes: 30)
    monkeypatch.setattr(clr.settings, "progress", False)


def columns(table) -> pd.DataFrame:
    return table if isinstance(table, pd.DataFrame) else table.to_memory()


def values(adata: ad.AnnData) -> np.ndarray:
    matrix = adata.X
    if hasattr(matrix, "dask"):
        matrix = matrix.compute()
    matrix = matrix[:]
    return matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_genes_are_those_chosen_in_memory(counts, tmp_path, place, dense) -> None:
    if dense:
        counts.X = counts.X.toarray()
    raw = values(counts)
    with stored(counts, place, tmp_path) as adata:
        for options in ({}, {"batch_key": "batch"}, {"method": "contrastive-sc", "mask_genes": np.arange(300) > 7}):
            expected = contrastive_preprocess(counts, n_top_genes=50, copy=True, **options)
            assert contrastive_preprocess(adata, n_top_genes=50, **options) is None
            made = columns(adata.var)[COLUMNS]
            pd.testing.assert_frame_equal(made, expected.var[COLUMNS], check_exact=True, check_names=False)
            np.testing.assert_array_equal(np.asarray(adata.obs["clr_library_size"]), raw.sum(axis=1))
        np.testing.assert_array_equal(values(adata), raw)
        assert "log1p" not in adata.uns
        assert "counts" not in adata.layers
        assert adata.uns["clr_preprocess"]["deferred"] is True
        assert adata.uns["clr_preprocess"]["target_sum"] == "median"
        assert adata.uns["clr_preprocess"]["library_size"] == np.median(raw.sum(axis=1))


@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_genes_are_those_of_scanpy(counts, tmp_path, batch_key) -> None:
    logged = counts.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    logged = logged[:, (counts.X > 0).sum(axis=0).A1 >= 2].copy()
    sc.pp.highly_variable_genes(logged, n_top_genes=40, flavor="seurat", batch_key=batch_key)
    with stored(counts, "h5ad", tmp_path) as adata:
        contrastive_preprocess(adata, n_top_genes=40, batch_key=batch_key)
        made = adata.var.loc[logged.var_names]
    assert made["highly_variable"].tolist() == logged.var["highly_variable"].tolist()
    np.testing.assert_allclose(made[STATISTICS], logged.var[STATISTICS], rtol=1e-4)


@pytest.mark.parametrize("place", ["h5ad", "zarr", "lazy zarr"])
def test_logarithms_are_kept(counts, tmp_path, place) -> None:
    contrastive_preprocess(counts, n_top_genes=40)
    expected = counts.var[COLUMNS].copy()
    del counts.layers["counts"], counts.var
    counts.uns.clear()
    with stored(counts, place, tmp_path) as adata:
        contrastive_preprocess(adata, n_top_genes=40)
        pd.testing.assert_frame_equal(columns(adata.var)[COLUMNS], expected, check_exact=True, check_names=False)
        assert adata.uns["clr_preprocess"]["deferred"] is False
        assert adata.uns["clr_preprocess"]["target_sum"] == "kept"
        assert "log1p" in adata.uns
        assert "clr_library_size" not in adata.obs


def test_the_first_cells_may_mislead(counts, tmp_path) -> None:
    # RPKM whose first cells look like logarithms; they are linear all the same.
    counts.X = counts.X.multiply(np.where(np.arange(200) < 60, 0.013, 7.7)[:, None]).tocsr().astype(np.float32)
    expected = contrastive_preprocess(counts, n_top_genes=40, copy=True)
    with stored(counts, "h5ad", tmp_path) as adata:
        contrastive_preprocess(adata, n_top_genes=40)
        pd.testing.assert_frame_equal(adata.var[COLUMNS], expected.var[COLUMNS], check_exact=True)
        assert adata.uns["clr_preprocess"]["input"] == "linear"


def test_a_layer_of_a_backed_file(counts, tmp_path) -> None:
    counts.layers["raw"] = counts.X.copy()
    expected = contrastive_preprocess(counts, n_top_genes=40, copy=True)
    counts.X = counts.X.copy() * 0.5
    with stored(counts, "h5ad r+", tmp_path) as adata:
        contrastive_preprocess(adata, n_top_genes=40, layer="raw")
        pd.testing.assert_frame_equal(adata.var[COLUMNS], expected.var[COLUMNS], check_exact=True)
        assert adata.uns["clr_preprocess"]["layer"] == "raw"
        np.testing.assert_array_equal(values(adata), counts.X.toarray())


def test_written_back_and_read_again(counts, tmp_path) -> None:
    with stored(counts, "h5ad r+", tmp_path) as adata:
        contrastive_preprocess(adata, n_top_genes=40)
        adata.write_h5ad()
    again = ad.read_h5ad(tmp_path / "it.h5ad")
    assert (again.X != counts.X).nnz == 0
    assert again.var["highly_variable"].sum() == 40
    assert bool(again.uns["clr_preprocess"]["deferred"]) is True
    assert again.obs["clr_library_size"].tolist() == counts.X.sum(axis=1).A1.tolist()


def test_a_view_of_a_file_comes_into_memory(counts, tmp_path) -> None:
    expected = contrastive_preprocess(counts[:100], n_top_genes=40, copy=True)
    with stored(counts, "h5ad", tmp_path) as adata:
        view = adata[:100]
        contrastive_preprocess(view, n_top_genes=40)
        assert not view.isbacked
        assert (view.X != expected.X).nnz == 0
        assert "clr_preprocess" not in adata.uns


def test_a_view_of_a_lazy_one_stays_lazy(counts, tmp_path) -> None:
    cells = np.arange(200) % 3 > 0
    expected = contrastive_preprocess(counts[cells], n_top_genes=40, copy=True)
    with stored(counts, "lazy zarr", tmp_path) as adata:
        view = adata[cells]
        contrastive_preprocess(view, n_top_genes=40)
        assert hasattr(view.X, "dask")
        pd.testing.assert_frame_equal(
            columns(view.var)[COLUMNS], expected.var[COLUMNS], check_exact=True, check_names=False
        )
        copied = contrastive_preprocess(adata[cells], n_top_genes=40, copy=True)
        assert hasattr(copied.X, "dask")
        assert "clr_preprocess" not in adata.uns


@pytest.mark.parametrize("place", ["h5ad", "zarr", "lazy h5ad"])
def test_what_is_refused_leaves_everything_as_it_was(counts, tmp_path, place) -> None:
    with stored(counts, place, tmp_path) as adata:
        with pytest.raises(ValueError, match="subset=True"):
            contrastive_preprocess(adata, subset=True)
        if place != "lazy h5ad":
            with pytest.raises(ValueError, match=r"copy=True.*to_memory\(\)"):
                contrastive_preprocess(adata, copy=True)
        with pytest.raises(KeyError, match="batch_key='donor'"):
            contrastive_preprocess(adata, batch_key="donor")
        with pytest.raises(ValueError, match="mask_genes"):
            contrastive_preprocess(adata, mask_genes=np.zeros(3, dtype=bool))
        assert "clr_preprocess" not in adata.uns
        assert "clr_library_size" not in adata.obs
        assert "highly_variable" not in adata.var


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (-1.0, "negative values")])
def test_bad_values_late_in_the_file(counts, tmp_path, value, message) -> None:
    counts.X.data[-1] = value
    with stored(counts, "h5ad", tmp_path) as adata:
        with pytest.raises(ValueError, match=message):
            contrastive_preprocess(adata)
        assert "clr_preprocess" not in adata.uns


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_is_shown_where_it_is_asked_for(counts, tmp_path, capfd, shown) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        contrastive_preprocess(adata, progress=shown)
        assert ("Reading" in capfd.readouterr().err) == shown
        clr.pp.select_n_top_genes(adata, candidates=(20,), progress=shown)
        assert ("Reading" in capfd.readouterr().err) == shown
