"""The neighbour graph: scanpy's, exact, and without a trace in the user's data."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import scanpy as sc
from anndata import AnnData
from sklearn.neighbors import NearestNeighbors

import scclr_ext.tl._graph as module
from scclr_ext.tl._graph import neighbor_graph

freeze = runpy.run_path(str(Path(__file__).parents[1] / "anndata_state.py"))["freeze"]


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
def test_cells_that_are_all_the_same() -> None:
    made = neighbor_graph(np.ones((40, 3), np.float32), "X", 15, 0)
    assert np.isfinite(made.obsp["connectivities"].data).all()
    assert made.obsp["distances"].sum() == 0
