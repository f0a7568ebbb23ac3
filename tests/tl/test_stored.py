"""Embedding data that are not in memory: the same bits as in memory, without loading the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import scanpy as sc
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import scclr_ext as clr
from scclr_ext.engine import hold
from scclr_ext.engine.methods import ScclrConfig
from scclr_ext.engine.training_set import PooledSource
from scclr_ext.tl import contrastive_embed
from stored import PLACES, stored

if TYPE_CHECKING:
    import anndata as ad

METHODS = ["clear", "contrastive-sc", "scclr"]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(hold, "block_rows", lambda n_genes: 30)
    monkeypatch.setattr(clr.settings, "progress", False)


def embed(adata: ad.AnnData, method: str = "scclr", **options) -> np.ndarray:
    contrastive_embed(adata, method, **{"n_steps": 4, "batch_size": 32, "device": "cpu", **options})
    return np.asarray(adata.obsm["X_clr"])


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_the_same_bits_as_in_memory(counts, tmp_path, place, dense) -> None:
    if dense:
        counts.X = counts.X.toarray()
    with stored(counts, place, tmp_path) as adata:
        for data in (counts, adata):
            clr.pp.contrastive_preprocess(data, n_top_genes=50)
        assert embed(adata).tobytes() == embed(counts).tobytes()
        assert sorted(adata.uns["clr"]["genes"]) == sorted(counts.uns["clr"]["genes"])
        assert adata.uns["clr"]["mean"].tobytes() == counts.uns["clr"]["mean"].tobytes()
        assert adata.uns["clr"]["preprocess"]["target_sum"] == counts.uns["clr"]["preprocess"]["target_sum"]


@pytest.mark.parametrize("batch_key", [None, "batch"])
@pytest.mark.parametrize("method", METHODS)
def test_more_cells_than_the_training_shows(counts, tmp_path, method, batch_key) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        for data in (counts, adata):
            clr.pp.contrastive_preprocess(data, method, n_top_genes=50)
        options = {"n_steps": 3, "batch_size": 20, "batch_key": batch_key}  # 60 of 200 cells
        assert embed(adata, method, **options).tobytes() == embed(counts, method, **options).tobytes()


@pytest.mark.parametrize("function", ["stability", "contrastive_cluster", "contrastive_pseudotime", "gene_attribution"])
def test_no_copy_of_what_is_in_a_file_is_promised(counts, tmp_path, function) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        clr.pp.contrastive_preprocess(adata, n_top_genes=50)
        embed(adata)
        further = {"root": 0} if function == "contrastive_pseudotime" else {}
        with pytest.raises(ValueError, match="`copy=True` would load"):
            getattr(clr.tl, function)(adata, copy=True, **further)
        with pytest.raises(ValueError, match="`copy=True` would load"):
            clr.tl.map_query(adata, counts, copy=True)


@pytest.mark.parametrize("place", ["h5ad", "lazy zarr"])
def test_logarithms(counts, tmp_path, place) -> None:
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts)
    with stored(counts, place, tmp_path) as adata:
        assert embed(adata).tobytes() == embed(counts).tobytes()


def test_deferred_counts_that_were_read_into_memory(counts, tmp_path) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        for data in (counts, adata):
            clr.pp.contrastive_preprocess(data, n_top_genes=50)
        loaded = adata.to_memory()
    raw = loaded.X.copy()
    expected = embed(counts)
    assert embed(loaded).tobytes() == expected.tobytes()
    assert (loaded.X != raw).nnz == 0
    # Cells and genes may have gone since: the library sizes are still those of all genes.
    np.testing.assert_array_equal(embed(loaded[:, loaded.var["highly_variable"]].copy()), expected)
    # Whoever normalises the values after all, for scanpy's tests, can embed them as they are.
    sc.pp.normalize_total(loaded, target_sum=1e4)
    sc.pp.log1p(loaded)
    np.testing.assert_allclose(embed(loaded), expected, atol=0.02)  # rounding, and ties between neighbours
    del loaded.obs["clr_library_size"]
    embed(loaded)
    loaded.X = raw
    with pytest.raises(KeyError, match="clr_library_size"):
        embed(loaded)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("method", ["scclr", "contrastive-sc"])
def test_counts_in_memory_that_are_left_as_they_are(counts, method, dense) -> None:
    if dense:
        counts.X = counts.X.toarray()
    left = counts.copy()
    clr.pp.contrastive_preprocess(counts, method, n_top_genes=50)
    clr.pp.contrastive_preprocess(left, method, n_top_genes=50, defer=True)
    raw = left.X.copy()
    assert embed(left, method).tobytes() == embed(counts, method).tobytes()
    assert abs(left.X - raw).max() == 0


def test_a_layer(counts, tmp_path) -> None:
    counts.layers["raw"] = counts.X.copy()
    with stored(counts, "lazy h5ad", tmp_path) as adata:
        for data in (counts, adata):
            clr.pp.contrastive_preprocess(data, n_top_genes=50, layer="raw")
        expected = embed(counts)
        assert embed(adata).tobytes() == expected.tobytes()  # the layer that was preprocessed
        assert adata.uns["clr"]["params"]["layer"] == "raw"
        assert embed(adata, layer="raw").tobytes() == expected.tobytes()


def test_counts_that_were_not_preprocessed(counts, tmp_path) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        with pytest.raises(ValueError, match=r"adata\.X holds raw counts.*contrastive_preprocess"):
            embed(adata)
        assert "X_clr" not in adata.obsm


@pytest.mark.parametrize("place", ["h5ad", "h5ad r+", "zarr"])
def test_no_copy_of_a_file(counts, tmp_path, place) -> None:
    with stored(counts, place, tmp_path) as adata:
        clr.pp.contrastive_preprocess(adata, n_top_genes=50)
        with pytest.raises(ValueError, match=r"copy=True.*copy=False.*to_memory"):
            embed(adata, copy=True)
        assert "X_clr" not in adata.obsm


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (-0.5, "scaled values"), (99.5, "linear values")])
def test_bad_values_late_in_the_file(counts, tmp_path, value, message) -> None:
    clr.pp.contrastive_preprocess(counts)
    counts.X.data[-1] = value
    with stored(counts, "h5ad", tmp_path) as adata:
        with pytest.raises(ValueError, match=rf"adata\.X holds {message}"):
            embed(adata)
        assert "X_clr" not in adata.obsm


# Cells that do not fit


@pytest.fixture
def no_room(monkeypatch) -> list[PooledSource]:
    """Only 60 cells fit; returned are the sources that read pools."""
    monkeypatch.setattr(clr.settings, "max_memory", 60 * 50 * 5e-9)
    made, original = [], PooledSource.__init__

    def remember(self, *args):
        made.append(self)
        original(self, *args)

    monkeypatch.setattr(PooledSource, "__init__", remember)
    return made


@pytest.mark.parametrize("batch_key", [None, "batch"])
@pytest.mark.parametrize("place", ["h5ad", "dask"])
def test_cells_are_read_in_every_epoch(counts, tmp_path, no_room, place, batch_key) -> None:
    with stored(counts, place, tmp_path) as adata:
        for data in (counts, adata):
            clr.pp.contrastive_preprocess(data, "contrastive-sc", n_top_genes=60)
        options = {"n_steps": None, "n_epochs": 15, "batch_size": 40, "batch_key": batch_key}
        far, near = embed(adata, "contrastive-sc", **options), embed(counts, "contrastive-sc", **options)
    assert len(no_room) == 1
    assert not no_room[0]._reading, "its pools are let go before all cells are embedded"
    np.testing.assert_allclose(adata.uns["clr"]["mean"], counts.uns["clr"]["mean"], rtol=1e-6)
    np.testing.assert_allclose(adata.uns["clr"]["std"], counts.uns["clr"]["std"], rtol=1e-6)
    assert adata.uns["clr"]["params"]["n_steps"] == counts.uns["clr"]["params"]["n_steps"]
    found = [
        adjusted_rand_score(counts.obs["group"], KMeans(3, n_init=5, random_state=0).fit_predict(rep))
        for rep in (far, near)
    ]
    assert min(found) > 0.9  # another order of the cells, no worse


def test_what_fits_is_held(counts, tmp_path, no_room) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        clr.pp.contrastive_preprocess(adata, n_top_genes=50)
        embed(adata, "contrastive-sc", n_steps=1, batch_size=20)
        assert not no_room


def test_neighbours_need_room(counts, tmp_path, no_room) -> None:
    with stored(counts, "h5ad", tmp_path) as adata:
        clr.pp.contrastive_preprocess(adata, n_top_genes=50)
        with pytest.raises(ValueError, match=r"settings\.max_memory.*n_steps"):
            embed(adata, "scclr", n_steps=None, n_epochs=1)
        with pytest.raises(ValueError, match=r"settings\.max_memory.*principal components"):
            embed(adata, ScclrConfig(neighbor_probability=0), n_steps=None, n_epochs=1)
        assert "X_clr" not in adata.obsm
