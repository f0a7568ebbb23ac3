"""Graphs against scikit-learn's, and joins against what can be seen on a line of clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.neighbors import kneighbors_graph

from scclr_ext.tl._pseudotime.joined_graph import Nearest, join_pieces, n_pieces, neighbor_links


def nearest_of(rep: np.ndarray, k: int) -> Nearest:
    return Nearest.find(rep.astype(np.float32), k, 0)


def clusters(at: list[float], n: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rep = np.concatenate([np.array([x, 0.0]) + rng.normal(scale=0.3, size=(n, 2)) for x in at])
    return rep.astype(np.float32), np.repeat(np.arange(len(at)), n)


@pytest.mark.parametrize("k", [3, 8])
def test_links_are_those_of_scikit_learn(k: int) -> None:
    rep = np.random.default_rng(0).normal(size=(70, 5)).astype(np.float32)
    directed = kneighbors_graph(rep, k).toarray() > 0
    nearest = nearest_of(rep, 12)
    union, mutual = (neighbor_links(nearest, 70, k, mutual=mutual).toarray() for mutual in (False, True))
    np.testing.assert_array_equal(union, directed | directed.T)
    np.testing.assert_array_equal(mutual, directed & directed.T)


def test_many_cells_are_searched_by_scanpy(monkeypatch) -> None:
    rep = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    exact = nearest_of(rep, 5)
    monkeypatch.setattr("scclr_ext.tl._pseudotime.joined_graph.EXACT_CELLS", 0)
    by_scanpy = nearest_of(rep, 5)
    for name in ("cell", "neighbor", "place"):
        np.testing.assert_array_equal(getattr(exact, name), getattr(by_scanpy, name))
    np.testing.assert_allclose(exact.distance, by_scanpy.distance, rtol=1e-5)


def test_a_small_group_names_others_but_is_not_named() -> None:
    """Three cells far from a dense group: with eight neighbours they link to it, by mutual links they do not."""
    rng = np.random.default_rng(0)
    rep = np.concatenate([rng.normal(size=(40, 4)), rng.normal(size=(3, 4)) * 0.1 + 9]).astype(np.float32)
    nearest = nearest_of(rep, 8)
    assert n_pieces(neighbor_links(nearest, 43, 8, mutual=False))[0] == 1
    assert neighbor_links(nearest, 43, 8, mutual=True)[40:][:, :40].nnz == 0


def test_pieces_are_joined_along_the_line() -> None:
    rep, cluster = clusters([0, 10, 19, 31, 39])
    nearest = nearest_of(rep, 4)
    links = neighbor_links(nearest, len(rep), 4, mutual=False)
    joined = join_pieces(links, rep, nearest, 4)
    assert n_pieces(links)[0] == 5
    assert n_pieces(joined)[0] == 1
    assert (links.minimum(joined) != links).nnz == 0  # nothing is lost
    assert set(joined.data) == {1.0}
    assert (joined != joined.T).nnz == 0
    new = (joined - links).tocoo()
    assert set(np.abs(cluster[new.row] - cluster[new.col])) == {1}  # only neighbours on the line
    for left in range(4):
        # about as many links as a cell has neighbours, from the near ends of either cluster
        here = (cluster[new.row] == left) & (cluster[new.col] == left + 1)
        assert 4 <= here.sum() <= 16
        facing = rep[new.row[here], 0]
        assert np.median(facing) > np.median(rep[cluster == left, 0])


def test_joins_follow_the_minimum_spanning_tree() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(7, 3)) * 40
    rep = np.concatenate([c + rng.normal(scale=0.2, size=(6, 3)) for c in centres]).astype(np.float32)
    cluster = np.repeat(np.arange(7), 6)
    nearest = nearest_of(rep, 3)
    new = (join_pieces(links := neighbor_links(nearest, 42, 3, mutual=False), rep, nearest, 3) - links).tocoo()
    apart = cdist(rep, rep)
    between = np.array([[apart[np.ix_(cluster == a, cluster == b)].min() for b in range(7)] for a in range(7)])
    tree = minimum_spanning_tree(np.triu(between, 1)).tocoo()
    expected = {frozenset(pair) for pair in zip(tree.row.tolist(), tree.col.tolist(), strict=True)}
    assert {
        frozenset(pair) for pair in zip(cluster[new.row].tolist(), cluster[new.col].tolist(), strict=True)
    } == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 60), st.integers(1, 6), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 2**16))
def test_any_graph_is_joined(n, k, dims, mutual, rounded, seed) -> None:
    rep = np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)
    if rounded:  # many cells coincide
        rep = np.round(rep)
    k = min(k, n - 2)
    nearest = nearest_of(rep, k)
    links = neighbor_links(nearest, n, k, mutual=mutual)
    joined = join_pieces(links, rep, nearest, k)
    assert n_pieces(joined)[0] == 1
    assert joined.diagonal().sum() == 0
    assert (links.minimum(joined) != links).nnz == 0
