"""The neighbour graph: scanpy's, exact, and without a trace in the user's data."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
import torch
from anndata import AnnData
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

import scclr_ext.tl._graph as module
from anndata_state import freeze
from scclr_ext.tl._graph import neighbor_graph, stored_graph


@pytest.fixture
def rep() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (np.repeat(np.eye(3, 6) * 3, 30, axis=0) + rng.normal(size=(90, 6))).astype(np.float32)


@pytest.mark.parametrize("n_neighbors", [2, 15, 40])
def test_it_is_scanpy_s_exact_one(rep, n_neighbors) -> None:
    expected = AnnData(np.zeros((90, 1), np.float32), obsm={"X_rep": rep})
    sc.pp.neighbors(expected, n_neighbors=n_neighbors, use_rep="X_rep", transformer="sklearn", random_state=3)
    made = neighbor_graph(rep, "X_rep", n_neighbors, 3)
    assert set(made.obsp) == {"connectivities", "distances"}
    for key in made.obsp:
        assert freeze(made.obsp[key]) == freeze(expected.obsp[key])
    assert made.uns["neighbors"] == expected.uns["neighbors"]
    assert made.uns["neighbors"]["params"]["n_neighbors"] == n_neighbors


def test_the_neighbours_are_the_nearest(rep) -> None:
    distances = neighbor_graph(rep, "X", 10, 0).obsp["distances"]
    nearest = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(rep).kneighbors()[1]  # the tenth is the cell
    assert np.diff(distances.indptr).tolist() == [9] * 90
    assert all(set(distances[i].indices) == set(nearest[i]) for i in range(90))


@pytest.mark.parametrize("n_cells", [3, 5, 10])
def test_fewer_cells_than_neighbours(rep, n_cells) -> None:
    made = neighbor_graph(rep[:n_cells], "X", 15, 0)
    assert made.uns["neighbors"]["params"]["n_neighbors"] == n_cells - 1
    assert made.obsp["connectivities"].shape == (n_cells, n_cells)
    assert made.obsp["connectivities"].nnz > 0


@pytest.mark.parametrize(("limit", "transformer"), [(90, "sklearn"), (89, None)])
def test_many_cells_are_searched_with_scanpy_s_default(rep, monkeypatch, limit, transformer) -> None:
    given = []
    real = sc.pp.neighbors
    monkeypatch.setattr(
        sc.pp, "neighbors", lambda *args, **options: (given.append(options["transformer"]), real(*args, **options))
    )
    monkeypatch.setattr(module, "EXACT_CELLS", limit)
    made = neighbor_graph(rep, "X", 10, 0)
    assert given == [transformer]
    assert made.obsp["connectivities"].nnz > 0


def test_it_is_the_same_twice_and_leaves_everything_alone(rep) -> None:
    kept = rep.copy()
    first = neighbor_graph(rep, "X", 15, 0)
    np.random.seed(5)
    state = repr(np.random.get_state())
    again = neighbor_graph(rep, "X", 15, 0)
    assert repr(np.random.get_state()) == state
    assert freeze(first.obsp["connectivities"]) == freeze(again.obsp["connectivities"])
    assert np.array_equal(rep, kept)


@pytest.mark.filterwarnings("ignore:Changing the sparsity structure")  # scanpy's own, where neighbours coincide
def test_torch_keeps_its_threads(rep, monkeypatch) -> None:
    before = torch.get_num_threads()

    def scanpy_with_numba(work, **options):
        torch.set_num_threads(before + 1)
        neighbors(work, **options)

    neighbors = sc.pp.neighbors
    monkeypatch.setattr(sc.pp, "neighbors", scanpy_with_numba)
    neighbor_graph(rep, "X", 5, 0)
    assert torch.get_num_threads() == before


def test_cells_that_are_all_the_same() -> None:
    made = neighbor_graph(np.ones((40, 3), np.float32), "X", 15, 0)
    assert np.isfinite(made.obsp["connectivities"].data).all()
    assert made.obsp["distances"].sum() == 0


@pytest.fixture
def with_graph(rep) -> AnnData:
    adata = AnnData(np.zeros((90, 1), np.float32), obsm={"X_rep": rep, "other": rep})
    sc.pp.neighbors(adata, n_neighbors=7, use_rep="X_rep", transformer="sklearn", key_added="mine")
    return adata


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, np.asarray])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_stored_graph_is_taken_as_it_is(with_graph, form, dtype) -> None:
    weights = with_graph.obsp["mine_connectivities"].toarray()
    with_graph.obsp["mine_connectivities"] = form(weights.astype(dtype))
    taken = stored_graph(with_graph, "mine", "X_rep")
    assert taken.format == "csr" and taken.dtype == np.float32
    np.testing.assert_array_equal(taken.toarray(), weights)


def test_a_graph_that_does_not_say_what_it_is_of(with_graph) -> None:
    del with_graph.uns["mine"]["params"]
    assert stored_graph(with_graph, "mine", "other").nnz


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # scanpy's own
def test_a_graph_of_scanpy_s_default(with_graph, rep) -> None:
    with_graph.obsm["X_pca"] = rep
    sc.pp.neighbors(with_graph, n_neighbors=7, n_pcs=6, transformer="sklearn")
    with pytest.raises(ValueError, match=r"'neighbors' was built of 'X_pca', not of `use_rep` 'X_rep'"):
        stored_graph(with_graph, "neighbors", "X_rep")
    assert stored_graph(with_graph, "neighbors", "X_pca").nnz


def test_a_graph_of_another_embedding(with_graph) -> None:
    with pytest.raises(ValueError, match=r"`neighbors_key` 'mine' was built of 'X_rep', not of `use_rep` 'other'"):
        stored_graph(with_graph, "mine", "other")


@pytest.mark.parametrize("record", [{}, {"connectivities_key": "gone"}, "text", 3])
def test_a_record_without_a_graph(with_graph, record) -> None:
    with_graph.uns["mine"] = record
    with pytest.raises(KeyError, match=r"uns\['mine'\] does not name a graph"):
        stored_graph(with_graph, "mine", "X_rep")


def test_no_record(with_graph) -> None:
    with pytest.raises(KeyError, match=r"`neighbors_key` 'neighbors' is not in uns; found 'mine'"):
        stored_graph(with_graph, "neighbors", "X_rep")


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_are_none(with_graph, weight) -> None:
    with_graph.obsp["mine_connectivities"].data[3] = weight
    with pytest.raises(ValueError, match=r"obsp\['mine_connectivities'\].*negative, infinite or NaN"):
        stored_graph(with_graph, "mine", "X_rep")
