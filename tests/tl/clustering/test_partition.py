"""Ways to cut a graph or an embedding, on arrays."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anndata as ad
import igraph
import numpy as np
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from scclr_ext.metrics import adjusted_rand_index
from scclr_ext.tl._clustering import partition as _partition
from scclr_ext.tl._clustering.partition import GRAPH_METHODS, REP_METHODS, by_size

if TYPE_CHECKING:
    from scipy import sparse

TAKE_K = [name for name, method in REP_METHODS.items() if method.takes_k]


def make_blobs(sizes, *, spread: float = 1.0, distance: float = 30.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Round clouds of cells, each on its own axis."""
    truth = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).normal(0, spread, (len(truth), max(len(sizes), 2)))
    return (np.eye(len(sizes), noise.shape[1])[truth] * distance + noise).astype(np.float32), truth


def make_graph(rep: np.ndarray, n_neighbors: int = 10) -> sparse.csr_matrix:
    work = ad.AnnData(np.zeros((len(rep), 0), dtype=np.float32), obsm={"rep": rep})
    sc.pp.neighbors(work, n_neighbors=n_neighbors, use_rep="rep", random_state=0)
    return work.obsp["connectivities"]


BLOBS, TRUTH = make_blobs([40, 30, 20])


@pytest.fixture(scope="module")
def graph() -> sparse.csr_matrix:
    return make_graph(BLOBS)


@pytest.fixture(scope="module")
def pair_graph() -> sparse.csr_matrix:
    """A graph in one piece, whose cut depends on the seed."""
    return make_graph(np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32))


@pytest.mark.parametrize("method", list(GRAPH_METHODS))
def test_graph_methods_find_blobs(graph, method) -> None:
    labels = GRAPH_METHODS[method](graph, 0.3, 0)
    assert labels.dtype == np.int64
    assert adjusted_rand_index(labels, TRUTH) == 1


@pytest.mark.parametrize("method", list(REP_METHODS))
def test_methods_on_the_embedding_find_blobs(graph, method) -> None:
    labels = REP_METHODS[method].fit(BLOBS, graph, 3, 0)
    assert adjusted_rand_index(labels, TRUTH) == 1


@pytest.mark.parametrize("method", TAKE_K)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_any_number_of_clusters(graph, method, k) -> None:
    labels = REP_METHODS[method].fit(BLOBS, graph, k, 0)
    assert len(np.unique(labels)) == k
    assert len(labels) == len(BLOBS)


@pytest.mark.parametrize("method", list(GRAPH_METHODS))
def test_resolution_raises_the_number(pair_graph, method) -> None:
    found = [len(np.unique(GRAPH_METHODS[method](pair_graph, r, 0))) for r in (0.01, 1.0, 20.0)]
    assert found[0] == 1
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("method", [*GRAPH_METHODS, *REP_METHODS])
@pytest.mark.parametrize("seed", [3, np.int64(3)])
def test_same_seed_same_labels_and_generators_left_alone(pair_graph, method, seed) -> None:
    rep = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)

    def cut():
        if method in GRAPH_METHODS:
            return GRAPH_METHODS[method](pair_graph, 1.0, seed).tolist()
        return REP_METHODS[method].fit(rep, pair_graph, 4, seed).tolist()

    def drawn_by_igraph() -> list[tuple[int, int]]:
        random.seed(11)
        return igraph.Graph.Erdos_Renyi(n=20, p=0.3).get_edgelist()

    expected = drawn_by_igraph()
    random.seed(5)
    np.random.seed(5)
    before = random.getstate(), repr(np.random.get_state())
    first = cut()
    assert (random.getstate(), repr(np.random.get_state())) == before
    random.seed(6)  # what the user does with the global generators changes nothing
    np.random.seed(6)
    assert cut() == first
    assert drawn_by_igraph() == expected  # igraph draws from Python's generator again


def test_spectral_in_one_piece_and_in_many(graph, pair_graph) -> None:
    from scipy.sparse.csgraph import connected_components

    assert connected_components(graph)[0] == 3
    assert connected_components(pair_graph)[0] == 1
    assert adjusted_rand_index(REP_METHODS["spectral"].fit(BLOBS, graph, 3, 0), TRUTH) == 1
    assert len(np.unique(REP_METHODS["spectral"].fit(BLOBS, pair_graph, 4, 0))) == 4


@pytest.mark.parametrize("method", ["kmeans", "ward", "mean-shift"])
def test_large_data_take_the_other_path(graph, monkeypatch, method) -> None:
    for limit in ("_MANY_CELLS", "_ALL_PAIRS", "_BANDWIDTH_SAMPLE"):
        monkeypatch.setattr(_partition, limit, 50)
    assert adjusted_rand_index(REP_METHODS[method].fit(BLOBS, graph, 3, 0), TRUTH) == 1
    if method == "ward":  # along a graph in one piece, too
        rep, truth = make_blobs([40, 30, 20], distance=6.0, spread=1.5)
        labels = REP_METHODS[method].fit(rep, make_graph(rep), 3, 0)
        assert adjusted_rand_index(labels, truth) > 0.8


def test_ward_gets_a_large_graph_in_one_piece(graph, monkeypatch) -> None:
    from scipy.sparse.csgraph import connected_components

    given, model = [], _partition.AgglomerativeClustering
    monkeypatch.setattr(
        _partition, "AgglomerativeClustering", lambda k, **how: given.append(how["connectivity"]) or model(k, **how)
    )
    REP_METHODS["ward"].fit(BLOBS, graph, 2, 0)
    monkeypatch.setattr(_partition, "_ALL_PAIRS", 50)
    REP_METHODS["ward"].fit(BLOBS, graph, 2, 0)
    assert given[0] is None
    assert connected_components(graph)[0] == 3
    assert connected_components(given[1])[0] == 1


def test_birch_splits_a_single_cloud(pair_graph) -> None:
    cloud = 1e-3 * np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    assert len(np.unique(REP_METHODS["birch"].fit(cloud, pair_graph, 6, 0))) == 6


def test_birch_compares_few_subclusters_in_many_dimensions(pair_graph, monkeypatch) -> None:
    rep, truth = make_blobs([60] * 8, spread=1.0, distance=8.0)
    rep = np.hstack([rep, np.random.default_rng(1).normal(size=(len(rep), 56)).astype(np.float32)])
    merged = []
    fit = AgglomerativeClustering.fit_predict
    monkeypatch.setattr(
        AgglomerativeClustering, "fit_predict", lambda self, x: (merged.append(len(x)), fit(self, x))[1]
    )
    monkeypatch.setattr(_partition, "_SUBCLUSTERS", 100)
    labels = REP_METHODS["birch"].fit(rep, pair_graph, 8, 0)
    assert max(merged, default=8) <= 100
    assert adjusted_rand_index(truth, labels) > 0.9


def test_birch_has_no_more_clusters_than_places(pair_graph) -> None:
    twice = np.repeat(np.array([[0.0, 0], [1, 1]], dtype=np.float32), 60, axis=0)
    assert len(np.unique(REP_METHODS["birch"].fit(twice, pair_graph, 4, 0))) == 2


def test_gaussian_mixture_with_dimensions_that_do_not_vary(pair_graph) -> None:
    rep = np.zeros((90, 12), dtype=np.float32)
    rep[:, :3] = BLOBS
    assert adjusted_rand_index(REP_METHODS["gaussian-mixture"].fit(rep, pair_graph, 3, 0), TRUTH) == 1


# by_size


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-3, 20), min_size=1, max_size=40).map(np.array))
def test_by_size(labels) -> None:
    ranked = by_size(labels)
    assert ranked.dtype == np.int64
    pairs = set(zip(labels.tolist(), ranked.tolist(), strict=True))
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(ranked))  # the same partition
    sizes = np.bincount(ranked)
    assert (np.diff(sizes) <= 0).all()
    first = [np.flatnonzero(ranked == i)[0] for i in range(len(sizes))]
    assert all(first[i] < first[i + 1] for i in range(len(sizes) - 1) if sizes[i] == sizes[i + 1])


def test_by_size_by_hand() -> None:
    assert by_size(np.array([7, 7, 2, 9, 9, 9, 4])).tolist() == [1, 1, 2, 0, 0, 0, 3]


def test_mean_shift_of_many_cells_in_many_dimensions(monkeypatch) -> None:
    monkeypatch.setattr(_partition, "_BANDWIDTH_SAMPLE", 100)
    monkeypatch.setattr(_partition, "_SHIFTED_SAMPLE", 30)
    # Cells on a thin shell, as unit-length embeddings are: rounded to a grid they are far from any cell.
    rng = np.random.default_rng(0)
    types = rng.integers(2, size=150)
    centers = rng.normal(size=(2, 60))
    rep = centers[types] + 0.3 * rng.normal(size=(150, 60))
    rep /= np.linalg.norm(rep, axis=1, keepdims=True)
    labels = REP_METHODS["mean-shift"].fit(rep.astype(np.float32), None, 0, 0)
    assert adjusted_rand_index(types, labels) == 1


@pytest.mark.parametrize("n_places", [1, 3])
def test_mean_shift_of_cells_that_coincide_but_for_rounding(pair_graph, n_places: int) -> None:
    places = np.random.default_rng(0).normal(size=(n_places, 20))
    rep = (places[np.arange(60) % n_places] + 1e-8 * np.random.default_rng(1).normal(size=(60, 20))).astype(np.float32)
    labels = REP_METHODS["mean-shift"].fit(rep, pair_graph, 0, 0)
    assert adjusted_rand_index(np.arange(60) % n_places, labels) == 1


def test_spectral_with_as_many_clusters_as_cells(graph) -> None:
    assert len(np.unique(REP_METHODS["spectral"].fit(BLOBS, graph, len(BLOBS), 0))) == len(BLOBS)
