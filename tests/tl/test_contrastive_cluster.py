"""Clusters and the neighbour graph: what is found, what is written, what scanpy makes of it."""

from __future__ import annotations

import random
import warnings
from contextlib import nullcontext

import anndata as ad
import igraph
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze, freeze_adata, unchanged
from joined import joined
from scclr_ext.metrics import adjusted_rand_index
from scclr_ext.tl import contrastive_cluster
from scclr_ext.tl._clustering.partition import GRAPH_METHODS, REP_METHODS

METHODS = [*GRAPH_METHODS, *REP_METHODS]
GRAPH_KEYS = {"connectivities", "distances"}


def make(sizes, *, distance: float = 30.0, seed: int = 0) -> ad.AnnData:
    """Round clouds of cells in `obsm["X_clr"]`, with the truth in `obs`; the cells in random order."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = rng.normal(size=(len(truth), max(len(sizes), 2)))
    adata = ad.AnnData(
        sparse.csr_matrix(rng.poisson(1.0, (len(truth), 5)).astype(np.float32)),
        obs=pd.DataFrame({"truth": pd.Categorical(truth)}, index=[f"cell{i}" for i in range(len(truth))]),
    )
    adata.obsm["X_clr"] = (np.eye(len(sizes), noise.shape[1])[truth] * distance + noise).astype(np.float32)
    return adata


def options(method: str, k: int) -> dict[str, object]:
    if method in GRAPH_METHODS:
        return {"method": method, "resolution": 0.3}
    return {"method": method, "n_clusters": k} if REP_METHODS[method].takes_k else {"method": method}


@pytest.fixture
def blobs() -> ad.AnnData:
    return make([20, 40, 30])


# What is found


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_blobs(blobs, method) -> None:
    assert contrastive_cluster(blobs, **options(method, 3)) is None
    labels = blobs.obs["clr_clusters"]
    assert adjusted_rand_index(labels, blobs.obs["truth"]) == 1
    assert labels.value_counts().to_dict() == {"0": 40, "1": 30, "2": 20}
    params = blobs.uns["clr_clusters"]["params"]
    assert (params["method"], params["n_clusters"], params["use_rep"]) == (method, 3, "X_clr")


@pytest.mark.parametrize("method", ["leiden", "kmeans"])
def test_labels_are_naturally_sorted_strings(method) -> None:
    adata = make([10 + i for i in range(13)], distance=60)
    contrastive_cluster(adata, n_neighbors=6, **options(method, 13))
    labels = adata.obs["clr_clusters"]
    assert isinstance(labels.dtype, pd.CategoricalDtype)
    assert labels.cat.categories.tolist() == [str(i) for i in range(13)]  # "2" before "10"
    assert not labels.cat.ordered
    assert labels.value_counts().sort_values(ascending=False).index.tolist() == [str(i) for i in range(13)]


def test_leiden_is_scanpy_s_on_the_same_graph(pbmc) -> None:
    sc.pp.pca(pbmc, n_comps=10)
    contrastive_cluster(pbmc, use_rep="X_pca", resolution=0.8, random_state=2)
    sc.tl.leiden(pbmc, resolution=0.8, random_state=2, flavor="igraph", n_iterations=2, directed=False)
    ours, theirs = pbmc.obs["clr_clusters"], pbmc.obs["leiden"]
    assert len(theirs.cat.categories) > 3
    assert adjusted_rand_index(ours, theirs) == 1
    assert ours.value_counts().tolist() == theirs.value_counts().tolist()


@pytest.mark.parametrize("method", list(GRAPH_METHODS))
@pytest.mark.parametrize("k", [2, 4, 6, 9])
def test_the_wanted_number_is_met(method, k) -> None:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(np.zeros((200, 1), np.float32), obsm={"X_clr": rng.normal(size=(200, 6)).astype(np.float32)})
    contrastive_cluster(adata, method=method, n_clusters=k)
    assert adata.obs["clr_clusters"].nunique() == k
    params = adata.uns["clr_clusters"]["params"]
    assert params["n_clusters"] == k
    again = contrastive_cluster(adata, method=method, resolution=params["resolution"], copy=True)
    assert again.obs["clr_clusters"].tolist() == adata.obs["clr_clusters"].tolist()


@pytest.mark.parametrize("method", list(GRAPH_METHODS))
def test_an_impossible_number_is_told(blobs, method) -> None:
    # Three clouds that nothing connects cannot be two clusters of a graph.
    with pytest.warns(UserWarning, match="No resolution gave 2 clusters; 3 is the nearest.*kmeans") as caught:
        contrastive_cluster(blobs, method=method, n_clusters=2)
    assert caught[0].filename == __file__
    assert blobs.obs["clr_clusters"].nunique() == 3


@pytest.mark.parametrize("method", [name for name in METHODS if name != "mean-shift"])
def test_one_cluster_needs_no_search(blobs, method) -> None:
    """The graph is in three pieces: no resolution gives one cluster."""
    contrastive_cluster(blobs, method=method, n_clusters=1)
    assert blobs.obs["clr_clusters"].tolist() == ["0"] * blobs.n_obs
    assert blobs.uns["clr_clusters"]["params"]["n_clusters"] == 1


@pytest.mark.parametrize("method", [m for m in REP_METHODS if REP_METHODS[m].takes_k])
def test_methods_on_the_embedding_give_any_number(blobs, method) -> None:
    contrastive_cluster(blobs, method=method, n_clusters=2)
    assert blobs.obs["clr_clusters"].nunique() == 2


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_labels(method) -> None:
    adata = make([40, 40, 40], distance=2.0)
    first, again = (contrastive_cluster(adata, random_state=4, copy=True, **options(method, 3)) for _ in range(2))
    assert freeze(first.obs) == freeze(again.obs)
    assert freeze(first.obsp["connectivities"]) == freeze(again.obsp["connectivities"])


@pytest.mark.parametrize("method", ["leiden", "louvain", "kmeans"])
def test_global_generators_are_left_alone(blobs, method) -> None:
    def drawn_by_igraph():
        random.seed(11)
        return igraph.Graph.Erdos_Renyi(n=20, p=0.3).get_edgelist()

    expected = drawn_by_igraph()
    before = random.getstate(), repr(np.random.get_state())
    contrastive_cluster(blobs, **options(method, 3))
    assert (random.getstate(), repr(np.random.get_state())) == before
    assert drawn_by_igraph() == expected


# The number of clusters, chosen without labels


SIZES = {2: (60, 30), 3: (100, 20, 40), 4: (50, 50, 50, 50), 5: (20, 30, 40, 60, 90), 6: (25, 30, 40, 50, 60, 70)}


@pytest.mark.parametrize("k", list(SIZES))
def test_well_separated_blobs_are_counted(k) -> None:
    adata = make(SIZES[k], distance=12.0, seed=k)
    assert contrastive_cluster(adata) is None
    assert adjusted_rand_index(adata.obs["clr_clusters"], adata.obs["truth"]) == 1
    assert adata.obs["clr_clusters"].cat.categories.tolist() == [str(i) for i in range(k)]
    assert adata.obs["clr_clusters"].value_counts(sort=False).tolist() == sorted(SIZES[k], reverse=True)
    record = adata.uns["clr_clusters"]
    assert record["params"]["n_clusters"] == record["choice"]["n_clusters"] == k
    assert 0.9 < record["choice"]["confidence"] <= 1


@pytest.mark.parametrize("method", [m for m in METHODS if m != "leiden" and m != "mean-shift"])
def test_every_method_that_wants_a_number_chooses_it(method) -> None:
    adata = make([40, 50, 60], distance=12.0)
    contrastive_cluster(adata, method=method)
    assert adjusted_rand_index(adata.obs["clr_clusters"], adata.obs["truth"]) > (0.95 if method == "birch" else 0.999)
    record = adata.uns["clr_clusters"]
    assert ("resolution" in record["params"]) == (method in GRAPH_METHODS)
    assert set(record) == {"params", "sweep", "choice", "flow"}
    grid = record["sweep"]["resolution" if method in GRAPH_METHODS else "n_clusters"]
    assert len(grid) == (20 if method in GRAPH_METHODS else 18)


def test_the_chosen_resolution_gives_the_chosen_clusters() -> None:
    adata = make([60, 60, 60], distance=4.0)
    contrastive_cluster(adata)
    resolution = adata.uns["clr_clusters"]["params"]["resolution"]
    again = contrastive_cluster(adata, resolution=resolution, copy=True)
    assert again.obs["clr_clusters"].tolist() == adata.obs["clr_clusters"].tolist()
    assert 1 < adata.obs["clr_clusters"].nunique() < 10


@pytest.mark.parametrize(
    "asked", [{"resolution": 0.5}, {"n_clusters": 3}, {"method": "kmeans", "n_clusters": 3}, {"method": "mean-shift"}]
)
def test_who_asks_for_a_number_gets_no_sweep(blobs, monkeypatch, asked) -> None:
    monkeypatch.setattr("scclr_ext.tl._clustering.find_clusters.sweep", None)
    contrastive_cluster(blobs, **asked)
    assert set(blobs.uns["clr_clusters"]) == {"params"}


@pytest.mark.parametrize("method", ["leiden", "kmeans"])
@pytest.mark.parametrize("dims", [2, 30])
def test_one_population_is_one_cluster(method, dims) -> None:
    adata = ad.AnnData(np.zeros((150, 1), np.float32))
    adata.obsm["X_clr"] = np.random.default_rng(dims).normal(size=(150, dims)).astype(np.float32)
    contrastive_cluster(adata, method=method)
    assert adata.obs["clr_clusters"].cat.categories.tolist() == ["0"]
    assert adata.obs["clr_clusters"].notna().all()
    record = adata.uns["clr_clusters"]
    assert (record["params"]["n_clusters"], record["choice"]["index"]) == (1, -1)


def test_one_population_stays_one_cluster_through_a_training() -> None:
    # Neighbours among nothing but noise had been drawn together: 7 clusters.
    adata = clr.datasets.simulate_cells(300, 2000, random_state=11)
    clr.pp.contrastive_preprocess(adata, "scclr")
    clr.tl.contrastive_embed(adata, "scclr", device="cpu", progress=False)
    contrastive_cluster(adata)
    assert adata.obs["clr_clusters"].nunique() == 1


def test_an_earlier_choice_does_not_outlive_a_given_number(blobs) -> None:
    contrastive_cluster(blobs)
    assert "choice" in blobs.uns["clr_clusters"]
    contrastive_cluster(blobs, n_clusters=3)
    assert set(blobs.uns["clr_clusters"]) == {"params"}


def test_how_sure_is_told(blobs, caplog) -> None:
    caplog.set_level("INFO", logger="scclr_ext")
    contrastive_cluster(blobs)
    choice = blobs.uns["clr_clusters"]["choice"]
    rival = f", else {choice['runner_up']}" if choice["runner_up"] else ""
    assert f"3 clusters (confidence {choice['confidence']:.2f}{rival})" in caplog.text
    blobs.obsm["X_clr"] = np.random.default_rng(0).normal(size=(90, 3))
    contrastive_cluster(blobs)
    assert "1 clusters (no clusters were found that stand apart and come out again)" in caplog.text


def test_the_choice_is_the_same_twice_and_leaves_the_global_generators_alone() -> None:
    adata = make([60, 50, 40], distance=4.0)
    first = contrastive_cluster(adata, random_state=4, copy=True)
    np.random.seed(8)
    random.seed(8)
    before = random.getstate(), repr(np.random.get_state())
    again = contrastive_cluster(adata, random_state=4, copy=True)
    assert (random.getstate(), repr(np.random.get_state())) == before
    assert freeze(first.obs) == freeze(again.obs)
    assert freeze(first.uns) == freeze(again.uns)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "mean-shift"])
@pytest.mark.parametrize("n_cells", [3, 5, 10])
def test_very_few_cells_are_one_cluster(method, n_cells) -> None:
    adata = ad.AnnData(np.zeros((n_cells, 1), np.float32))
    adata.obsm["X_clr"] = np.random.default_rng(0).normal(size=(n_cells, 4)).astype(np.float32)
    contrastive_cluster(adata, method=method)
    assert adata.obs["clr_clusters"].tolist() == ["0"] * n_cells
    assert adata.uns["clr_clusters"]["choice"]["n_clusters"] == 1


@pytest.mark.filterwarnings("ignore:Changing the sparsity structure")  # scanpy's own, where neighbours coincide
def test_a_constant_embedding_is_one_cluster(blobs) -> None:
    blobs.obsm["X_clr"][:] = 3.0
    contrastive_cluster(blobs)
    assert blobs.obs["clr_clusters"].tolist() == ["0"] * 90


@pytest.mark.parametrize(
    ("what", "store"),
    [("leiden", "h5ad"), ("leiden", "zarr"), ("kmeans", "h5ad"), ("one cluster", "zarr"), ("three cells", "h5ad")],
)
def test_the_sweep_survives_a_file(blobs, tmp_path, monkeypatch, what, store) -> None:
    monkeypatch.setattr("scclr_ext.tl._clustering.sweep._NUMBERS", (2, 3, 4))
    if what == "one cluster":
        blobs.obsm["X_clr"] = np.random.default_rng(0).normal(size=(90, 3))
    adata = blobs[:3].copy() if what == "three cells" else blobs
    contrastive_cluster(adata, method="leiden" if what in ("leiden", "one cluster") else "kmeans")
    getattr(adata, f"write_{store}")(path := tmp_path / f"out.{store}")
    read = getattr(ad, f"read_{store}")(path).uns["clr_clusters"]
    written = adata.uns["clr_clusters"]
    choice = written["choice"]
    if choice["index"] < 0:  # NaN is not itself
        for key in ("expected_ari", "margin", "stability", "confidence"):
            assert np.isnan(read["choice"].pop(key))
            assert np.isnan(choice[key])
        written = written | {"choice": {key: choice[key] for key in read["choice"]}}
    assert set(read) == {"params", "sweep", "choice", "flow"}
    assert_reads_back(read, written)


# Batches


@pytest.fixture
def batches() -> ad.AnnData:
    """Two clouds, and in each two batches that are apart but for some cells."""
    adata = make([110, 110], distance=12.0, seed=1)
    adata.obs["batch"] = pd.Categorical(np.random.default_rng(1).choice(["b", "a"], size=220))
    shift = np.zeros((220, 5), np.float32)
    shift[adata.obs["batch"] == "b", -1] = 4.5
    noise = np.random.default_rng(2).normal(size=(220, 3))
    adata.obsm["X_clr"] = (np.column_stack([adata.obsm["X_clr"], noise]) + shift).astype(np.float32)
    return adata


def test_batches_that_are_not_named_are_clusters(batches) -> None:
    contrastive_cluster(batches)
    assert batches.obs["clr_clusters"].nunique() == 4


@pytest.mark.parametrize("kind", ["category", "int"])
def test_batches_are_no_clusters_where_they_are_named(batches, kind) -> None:
    column = batches.obs["batch"]
    batches.obs["batch"] = column.cat.codes.astype(int) if kind == "int" else column.astype(kind)
    contrastive_cluster(batches, batch_key="batch")
    assert adjusted_rand_index(batches.obs["clr_clusters"], batches.obs["truth"]) == 1


def told(adata: ad.AnnData, key: str, obsm_key: str, batch_key: str) -> None:
    """Leave the record of an embedding that was told of batches."""
    params = {"obsm_key": obsm_key, "batch_key": batch_key, "n_cells": adata.n_obs}
    adata.uns[key] = {"history": {"loss": np.zeros(1)}, "params": params}


def test_batches_that_the_embedding_was_told_of_are_no_clusters(batches) -> None:
    told(batches, "clr", "X_clr", "batch")
    named = contrastive_cluster(batches, batch_key="batch", copy=True)
    contrastive_cluster(batches)
    assert list(batches.obs["clr_clusters"]) == list(named.obs["clr_clusters"])
    assert batches.obs["clr_clusters"].nunique() == 2
    assert batches.uns["clr_clusters"]["params"]["batch_key"] == "batch"
    for how in ({"batch_key": None}, {"n_clusters": 4}):  # asked not to, and where there is nothing to choose
        contrastive_cluster(batches, **how)
        assert batches.obs["clr_clusters"].nunique() == 4
        assert "batch_key" not in batches.uns["clr_clusters"]["params"]


def test_another_embedding_has_a_record_of_its_own(batches) -> None:
    batches.obsm["mine"] = batches.obsm["X_clr"]
    told(batches, "clr", "X_clr", "batch")
    contrastive_cluster(batches, use_rep="mine")
    assert batches.obs["clr_clusters"].nunique() == 4
    told(batches, "mine", "mine", "batch")
    contrastive_cluster(batches, use_rep="mine")
    assert batches.obs["clr_clusters"].nunique() == 2


@pytest.mark.parametrize("batch_key", ["", "donor"], ids=["none", "gone"])
def test_an_embedding_whose_batches_are_not_there(batches, batch_key) -> None:
    told(batches, "clr", "X_clr", batch_key)
    with pytest.warns(UserWarning, match=r"obs\['donor'\]") if batch_key else nullcontext():
        contrastive_cluster(batches)
    assert batches.obs["clr_clusters"].nunique() == 4


@pytest.mark.parametrize("how", [{}, {"resolution": 1.0}, {"n_clusters": 2}])
@pytest.mark.parametrize("problem", ["missing", "alone"])
def test_batches_that_are_none_any_more(batches, problem, how) -> None:
    told(batches, "clr", "X_clr", "batch")
    names = batches.obs["batch"].astype(object).where(np.arange(220) > 0, np.nan)
    batches.obs["batch"] = names if problem == "missing" else [f"b{i}" for i in range(220)]
    with nullcontext() if how else pytest.warns(UserWarning, match="cells of one batch"):
        contrastive_cluster(batches, **how)
    assert "batch_key" not in batches.uns["clr_clusters"]["params"]


def test_cells_of_one_batch_out_of_several(batches) -> None:
    told(batches, "clr", "X_clr", "batch")
    alone = batches[batches.obs["batch"] == "a"].copy()
    contrastive_cluster(alone)
    assert adjusted_rand_index(alone.obs["clr_clusters"], alone.obs["truth"]) == 1


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        (None, KeyError, r"batch_key='donor'.*adata.obs; found 'truth', 'batch'"),
        (np.nan, ValueError, r"obs\['donor'\] is missing for 1 cells"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"method": "kmeans"}, {"resolution": 1.0}])
def test_batches_that_are_missing(batches, column, error, message, how) -> None:
    if column is not None:
        donor = batches.obs["batch"].astype(object)
        donor.iloc[7] = column
        batches.obs["donor"] = pd.Categorical(donor)
    with unchanged(batches), pytest.raises(error, match=message):
        contrastive_cluster(batches, batch_key="donor", **how)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("stage", ["find_clusters.sweep", "sweep.choose_partition", "sweep._stability"])
def test_a_sweep_that_is_interrupted_leaves_the_data_untouched(blobs, monkeypatch, stage, stop) -> None:
    contrastive_cluster(blobs, method="kmeans", n_clusters=2)  # an earlier result, which must survive
    monkeypatch.setattr("scclr_ext.tl._clustering.sweep._NUMBERS", (2, 3, 4))

    def fail(*args, **kwargs):
        raise stop

    monkeypatch.setattr(f"scclr_ext.tl._clustering.{stage}", fail)
    view = blobs[:50]
    with unchanged(blobs, view):
        for adata in (blobs, view):
            with pytest.raises(stop):
                contrastive_cluster(adata, method="kmeans")


# What is written


def test_only_what_was_asked_for_is_written(blobs) -> None:
    blobs.obs["leiden"] = "mine"  # what scanpy's functions would overwrite
    blobs.uns["leiden"] = {"mine": 1}
    bare = blobs.copy()
    contrastive_cluster(blobs, resolution=1.0)
    assert set(blobs.obs) - set(bare.obs) == {"clr_clusters"}
    assert set(blobs.uns) - set(bare.uns) == {"clr_clusters", "neighbors"}
    assert set(blobs.obsp) == GRAPH_KEYS
    del blobs.obs["clr_clusters"], blobs.uns["clr_clusters"], blobs.uns["neighbors"]
    for key in GRAPH_KEYS:
        del blobs.obsp[key]
    assert freeze_adata(blobs) == freeze_adata(bare)


def test_the_graph_is_scanpy_s(blobs) -> None:
    expected = blobs.copy()
    sc.pp.neighbors(expected, n_neighbors=10, use_rep="X_clr", random_state=1)
    contrastive_cluster(blobs, n_neighbors=10, resolution=1.0, random_state=1)
    for key in GRAPH_KEYS:
        assert (blobs.obsp[key] != expected.obsp[key]).nnz == 0
    assert blobs.uns["neighbors"] == expected.uns["neighbors"]


def test_scanpy_goes_on_with_the_graph() -> None:
    touching = make([20, 40, 30], distance=4.0)
    contrastive_cluster(touching, method="kmeans", n_clusters=3)
    sc.tl.umap(touching, maxiter=20)
    sc.tl.paga(touching, groups="clr_clusters")
    assert touching.obsm["X_umap"].shape == (90, 2)
    assert touching.uns["paga"]["connectivities"].shape == (3, 3)
    assert touching.uns["paga"]["connectivities"].nnz > 0


@pytest.mark.parametrize("store", ["h5ad", "zarr"])
@pytest.mark.parametrize("method", ["leiden", "ward"])
def test_the_result_survives_a_file(blobs, tmp_path, method, store) -> None:
    contrastive_cluster(blobs, **options(method, 3))
    getattr(blobs, f"write_{store}")(path := tmp_path / f"out.{store}")
    read = getattr(ad, f"read_{store}")(path)
    assert_reads_back(read.uns["clr_clusters"], blobs.uns["clr_clusters"])
    assert_reads_back(read.uns["neighbors"], blobs.uns["neighbors"])
    assert read.obs["clr_clusters"].tolist() == blobs.obs["clr_clusters"].tolist()
    assert read.obs["clr_clusters"].cat.categories.tolist() == blobs.obs["clr_clusters"].cat.categories.tolist()


def test_key_added_and_use_rep(blobs) -> None:
    blobs.obsm["other"] = blobs.obsm.pop("X_clr")
    contrastive_cluster(blobs, use_rep="other", key_added="ä b", resolution=0.3)
    assert blobs.obs["ä b"].nunique() == 3
    assert "clr_clusters" not in blobs.obs
    assert blobs.uns["ä b"]["params"]["use_rep"] == "other"


def test_a_second_call_replaces_the_first(blobs) -> None:
    contrastive_cluster(blobs, method="kmeans", n_clusters=5)
    contrastive_cluster(blobs, method="kmeans", n_clusters=3)
    assert blobs.obs["clr_clusters"].cat.categories.tolist() == ["0", "1", "2"]
    assert blobs.uns["clr_clusters"]["params"]["n_clusters"] == 3


def test_copy_and_view(blobs) -> None:
    with unchanged(blobs):
        made = contrastive_cluster(blobs, resolution=1.0, copy=True)
        view = blobs[10:80]
        contrastive_cluster(view, resolution=1.0)
    alone = blobs[10:80].copy()
    contrastive_cluster(alone, resolution=1.0)
    assert not view.is_view
    assert freeze(view.obs) == freeze(alone.obs)
    contrastive_cluster(blobs, resolution=1.0)
    assert freeze(made.obs) == freeze(blobs.obs)


@pytest.mark.parametrize("kind", [np.float64, np.float16, sparse.csr_matrix])
def test_embeddings_of_any_type(blobs, kind) -> None:
    rep = np.round(blobs.obsm["X_clr"])  # whole numbers: the same in every type
    expected = blobs.copy()
    expected.obsm["X_clr"] = rep
    blobs.obsm["X_clr"] = rep.astype(kind) if isinstance(kind, type) and issubclass(kind, np.generic) else kind(rep)
    given_ = freeze(blobs.obsm["X_clr"])
    for adata in (blobs, expected):
        contrastive_cluster(adata, resolution=1.0)
    assert blobs.obs["clr_clusters"].tolist() == expected.obs["clr_clusters"].tolist()
    assert freeze(blobs.obsm["X_clr"]) == given_


@pytest.mark.parametrize("n_cells", [3, 4, 10])
@pytest.mark.parametrize("method", METHODS)
def test_very_few_cells(blobs, method, n_cells) -> None:
    few = blobs[:n_cells].copy()
    contrastive_cluster(few, **options(method, 2))
    assert len(few.obs["clr_clusters"].cat.categories) >= 1
    assert not few.obs["clr_clusters"].isna().any()
    assert few.uns["neighbors"]["params"]["n_neighbors"] == min(15, n_cells - 1)


# What is refused, with the AnnData as it was


WRONG = {
    "no embedding": ({"use_rep": "nope"}, KeyError, r"use_rep='nope'.*found 'X_clr'.*contrastive_embed"),
    "method": ({"method": "magic"}, ValueError, "`method` 'magic'; choose one of 'leiden'.*'spectral'"),
    "resolution 0": ({"resolution": 0.0}, ValueError, "`resolution` must be a positive number; found 0"),
    "resolution NaN": ({"resolution": float("nan")}, ValueError, "`resolution` must be a positive number; found nan"),
    "resolution in words": ({"resolution": "1"}, ValueError, "`resolution` must be a positive number; found '1'"),
    "a resolution without end": ({"resolution": float("inf")}, ValueError, "`resolution` must be.*found inf"),
    "clusters in words": ({"n_clusters": "3"}, ValueError, "`n_clusters` must be a whole number.*found '3'"),
    "half a cluster": ({"n_clusters": 2.5}, ValueError, r"`n_clusters` must be a whole number.*found 2\.5"),
    "yes to clusters": ({"n_clusters": True}, ValueError, "`n_clusters` must be a whole number.*found True"),
    "half a neighbour": ({"n_neighbors": 7.5}, ValueError, r"`n_neighbors` must be a whole number.*found 7\.5"),
    "resolution of kmeans": (
        {"method": "kmeans", "n_clusters": 3, "resolution": 1.0},
        ValueError,
        r"resolution=1\.0.*'leiden' or 'louvain'",
    ),
    "resolution and number": (
        {"n_clusters": 3, "resolution": 1.0},
        ValueError,
        r"resolution=1\.0.*without `n_clusters`",
    ),
    "number for mean-shift": ({"method": "mean-shift", "n_clusters": 3}, ValueError, "by itself; found n_clusters=3"),
    "no clusters": ({"n_clusters": 0}, ValueError, r"n_clusters.*between 1 and.*\(90\); found 0"),
    "too many clusters": ({"method": "kmeans", "n_clusters": 91}, ValueError, r"n_clusters.*\(90\); found 91"),
    "one neighbour": ({"n_neighbors": 1, "resolution": 1.0}, ValueError, "`n_neighbors`.*at least 2; found 1"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_refused_and_untouched(blobs, case) -> None:
    wrong, error, message = WRONG[case]
    with unchanged(blobs), pytest.raises(error, match=message):
        contrastive_cluster(blobs, **wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite(blobs, value) -> None:
    blobs.obsm["X_clr"][3, 1] = value
    with unchanged(blobs), pytest.raises(ValueError, match=r"obsm\['X_clr'\].*finite"):
        contrastive_cluster(blobs, resolution=1.0)


def test_the_graph_takes_no_record_s_place(blobs) -> None:
    blobs.uns["neighbors"] = {"history": {}, "params": {"obsm_key": "X_clr"}}
    with unchanged(blobs), pytest.raises(ValueError, match=r"adata.uns\['neighbors'\] is the record of an embedding"):
        contrastive_cluster(blobs, n_clusters=2)
    del blobs.uns["neighbors"]
    with unchanged(blobs), pytest.raises(ValueError, match="`key_added` 'neighbors' is where the neighbour graph"):
        contrastive_cluster(blobs, n_clusters=2, key_added="neighbors")


def test_two_cells(blobs) -> None:
    few = blobs[:2].copy()
    with unchanged(few), pytest.raises(ValueError, match="at least 3 cells; adata has 2"):
        contrastive_cluster(few, resolution=1.0)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize(
    "stage", ["tl._contrastive_cluster.get_rep", "tl._clustering.find_clusters.by_size", "neighbors"]
)
def test_interrupted_and_untouched(blobs, monkeypatch, stage, stop) -> None:
    contrastive_cluster(blobs, method="kmeans", n_clusters=2)  # an earlier result, which must survive

    def fail(*args, **kwargs):
        raise stop

    monkeypatch.setattr("scanpy.pp.neighbors" if stage == "neighbors" else f"scclr_ext.{stage}", fail)
    view = blobs[:50]
    with unchanged(blobs, view):
        for adata in (blobs, view):
            with pytest.raises(stop):
                contrastive_cluster(adata, resolution=1.0)


def test_a_warning_made_an_error_leaves_the_data_untouched(blobs) -> None:
    with unchanged(blobs), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="No resolution"):
            contrastive_cluster(blobs, n_clusters=2)


# A graph that is there already


@pytest.mark.parametrize("method", METHODS)
def test_a_graph_that_is_there_gives_what_building_it_gives(blobs, method) -> None:
    built = contrastive_cluster(blobs, **options(method, 3), copy=True)
    sc.pp.neighbors(blobs, use_rep="X_clr", transformer="sklearn", key_added="mine")
    before = freeze(blobs.uns["mine"]), freeze(blobs.obsp["mine_connectivities"])
    contrastive_cluster(blobs, **options(method, 3), neighbors_key="mine")
    assert blobs.obs["clr_clusters"].equals(built.obs["clr_clusters"])
    assert (freeze(blobs.uns["mine"]), freeze(blobs.obsp["mine_connectivities"])) == before
    assert "neighbors" not in blobs.uns
    assert blobs.uns["clr_clusters"]["params"]["neighbors_key"] == "mine"
    assert set(blobs.obsp) == {"mine_connectivities", "mine_distances"}


def test_it_is_that_graph_which_is_cut(blobs) -> None:
    sc.pp.neighbors(blobs, use_rep="X_clr", transformer="sklearn")
    truth = blobs.obs["truth"].to_numpy() == 1
    blobs.obsp["connectivities"] = sparse.csr_matrix((truth[:, None] == truth).astype(np.float32))  # 0 and 2 are one
    contrastive_cluster(blobs, neighbors_key="neighbors", resolution=0.3)
    assert adjusted_rand_index(blobs.obs["clr_clusters"], truth) == 1
    contrastive_cluster(blobs, neighbors_key="neighbors")  # the number chosen among cuts of it
    assert adjusted_rand_index(blobs.obs["clr_clusters"], truth) == 1


@pytest.mark.parametrize(("neighbors_key", "error"), [("nope", KeyError), ("pca", ValueError)])
def test_a_graph_that_will_not_do_changes_nothing(blobs, neighbors_key, error) -> None:
    blobs.obsm["X_pca"] = blobs.obsm["X_clr"][:, :2]
    sc.pp.neighbors(blobs, use_rep="X_pca", transformer="sklearn", key_added="pca")
    with unchanged(blobs), pytest.raises(error, match="neighbors_key"):
        contrastive_cluster(blobs, neighbors_key=neighbors_key)


def test_cells_of_other_networks_are_told_of(blobs) -> None:
    params = {"obsm_key": "X_clr", "n_cells": blobs.n_obs}
    blobs.uns["clr"] = {"history": {}, "params": params}
    contrastive_cluster(blobs, n_clusters=3)
    params["n_cells"] -= 1
    with pytest.warns(UserWarning, match="embed all cells together"):
        contrastive_cluster(blobs, n_clusters=3)
    mapping = {"missing_genes": np.array([]), "params": {"obsm_key": "X_other", "method": "clear"}}
    blobs.uns["clr_mapping"] = mapping
    with pytest.warns(UserWarning, match="embed all cells together"):
        contrastive_cluster(blobs, n_clusters=3)
    mapping["params"]["obsm_key"] = "X_clr"  # the others were mapped
    contrastive_cluster(blobs, n_clusters=3)


@pytest.mark.parametrize(
    ("how", "message"),
    [("same", "left of .*were joined"), ("unique", "left of .*were joined"), ("first", "trained on 80")],
)
def test_samples_that_were_embedded_apart_and_joined(counts, how, message) -> None:
    both = joined(counts, how)
    with pytest.warns(UserWarning, match=message):
        contrastive_cluster(both)
    assert both.uns["clr_clusters"]["params"]["batch_key"] == "batch"
    assert ("training" in both.uns["clr_clusters"]["params"]) == (how == "first")
