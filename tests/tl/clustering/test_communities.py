"""Communities of a neighbour graph."""

from __future__ import annotations

import gc
import random

import anndata as ad
import igraph
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from scclr_ext.tl._clustering import communities as _communities
from scclr_ext.tl._clustering.communities import as_igraph, leiden, louvain
from scclr_ext.tl._graph import neighbor_graph


def make_graph(n_cells: int, n_dimensions: int) -> sparse.csr_matrix:
    """A graph in one piece, whose cut depends on the seed."""
    rep = np.random.default_rng(0).normal(size=(n_cells, n_dimensions)).astype(np.float32)
    return neighbor_graph(rep, "X", 10, 0).obsp["connectivities"]


@pytest.fixture(scope="module")
def pair_graph() -> sparse.csr_matrix:
    return make_graph(120, 5)


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
def test_leiden_is_scanpy_s(pair_graph, resolution) -> None:
    work = ad.AnnData(np.zeros((120, 0), dtype=np.float32))
    sc.tl.leiden(
        work,
        resolution=resolution,
        random_state=3,
        adjacency=pair_graph,
        flavor="igraph",
        n_iterations=2,
        directed=False,
    )
    expected = work.obs["leiden"].astype(int).tolist()
    assert leiden(pair_graph, resolution, 3).tolist() == expected
    assert leiden(as_igraph(pair_graph), resolution, 3).tolist() == expected


def test_the_collector_does_not_look_at_every_edge() -> None:
    graph = make_graph(1000, 4)
    looks: list[str] = []

    def count(phase: str, info: dict[str, int]) -> None:
        looks.append(phase)

    gc.callbacks.append(count)
    try:
        found = as_igraph(graph)
    finally:
        gc.callbacks.remove(count)
    assert found.ecount() == graph.nnz > 10_000
    assert len(looks) < 10, "a tuple per edge, and 700 of them call it"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(monkeypatch, pair_graph, enabled) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        as_igraph(pair_graph)
        assert gc.isenabled() == enabled
        monkeypatch.setattr(_communities.np, "column_stack", [].index)
        with pytest.raises(ValueError, match="not in list"):
            as_igraph(pair_graph)
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_louvain_is_a_partition_of_high_modularity(pair_graph) -> None:
    labels = louvain(pair_graph, 1.0, 0)
    n = pair_graph.shape[0]
    weighted = igraph.Graph.Weighted_Adjacency(pair_graph, mode="undirected")
    modularity = {
        name: weighted.modularity(found, weights="weight", directed=False)
        for name, found in {
            "louvain": labels,
            "leiden": leiden(pair_graph, 1.0, 0),
            "chance": np.random.default_rng(0).permutation(labels),
        }.items()
    }
    assert len(labels) == n
    assert modularity["louvain"] > 0.95 * modularity["leiden"]
    assert modularity["chance"] < 0.2 * modularity["louvain"]


def test_louvain_uses_the_weights() -> None:
    # Two pairs that strong edges make, and two that weak ones would.
    edges = [(0, 1, 1.0), (2, 3, 1.0), (0, 2, 0.01), (1, 3, 0.01)]
    matrix = sparse.lil_matrix((4, 4))
    for i, j, weight in edges:
        matrix[i, j] = matrix[j, i] = weight
    labels = louvain(matrix.tocsr(), 1.0, 0)
    assert labels[0] == labels[1] != labels[2] == labels[3]


def test_louvain_depends_on_the_seed(pair_graph) -> None:
    assert len({tuple(louvain(pair_graph, 1.0, seed)) for seed in range(5)}) > 1


def test_igraph_s_generator_is_restored_after_a_failure(pair_graph, monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(igraph.Graph, "community_multilevel", fail)
    with pytest.raises(KeyboardInterrupt):
        louvain(pair_graph, 1.0, 0)
    drawn = []
    for _ in range(2):
        random.seed(11)
        drawn.append(igraph.Graph.Erdos_Renyi(n=20, p=0.3).get_edgelist())
    assert drawn[0] == drawn[1]
