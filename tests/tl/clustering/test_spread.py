"""Labels of a sample along a graph, beside a dense loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier

from scclr_ext.tl._clustering import spread as module
from scclr_ext.tl._clustering.spread import spread
from scclr_ext.tl._graph import neighbor_graph


def by_hand(graph: np.ndarray, cells: np.ndarray, labels: np.ndarray, rounds: int) -> np.ndarray:
    """Degrees of membership, cells by labels, one cell at a time."""
    member = np.zeros((len(graph), labels.max() + 1))
    member[cells, labels] = 1
    for _ in range(rounds):
        before = member.copy()
        for i in set(range(len(graph))) - set(cells.tolist()):
            if graph[i].sum() > 0:
                member[i] = graph[i] @ before / graph[i].sum()
    return member


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(3, 30),
    n_labels=st.integers(1, 5),
    density=st.sampled_from([0.02, 0.2, 1.0]),
    at_a_time=st.sampled_from([1, 2, 32]),
    seed=st.integers(0, 999),
)
def test_every_cell_joins_the_label_it_belongs_to_most(n, n_labels, density, at_a_time, seed) -> None:
    rng = np.random.default_rng(seed)
    half = rng.random((n, n)) * (rng.random((n, n)) < density)
    graph = half + half.T
    cells = np.sort(rng.choice(n, rng.integers(1, n + 1), replace=False))
    labels = rng.integers(n_labels, size=len(cells))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_A_TIME", at_a_time)
        found = spread(rng.normal(size=(n, 2)), sparse.csr_matrix(graph), cells, labels, n_neighbors=1)
    member = by_hand(graph, cells, labels, module._ROUNDS)
    assert found[cells].tolist() == labels.tolist()
    reached = member.max(axis=1) > 1e-30
    chosen = member[np.arange(n), found]
    assert chosen[reached] == pytest.approx(member.max(axis=1)[reached], rel=1e-4)
    assert np.isin(found, labels).all()


def test_a_chain_between_two_labels() -> None:
    chain = sparse.diags_array([np.ones(8), np.ones(8)], offsets=[-1, 1]).tocsr()
    found = spread(np.zeros((9, 1)), chain, np.array([0, 8]), np.array([0, 1]), n_neighbors=1)
    assert found[:4].tolist() == [0] * 4
    assert found[5:].tolist() == [1] * 4


def test_weights_count() -> None:
    graph = sparse.csr_matrix(np.array([[0, 0, 0.2], [0, 0, 0.3], [0.2, 0.3, 0]]))
    found = spread(np.zeros((3, 1)), graph, np.array([0, 1]), np.array([0, 1]), n_neighbors=1)
    assert found.tolist() == [0, 1, 1]


def test_pieces_without_a_label_ask_the_nearest() -> None:
    rep = np.array([[0.0], [1], [10], [11], [0.5], [10.5]])
    graph = sparse.csr_matrix((6, 6))
    found = spread(rep, graph, np.arange(4), np.array([0, 0, 1, 1]), n_neighbors=2)
    assert found.tolist() == [0, 0, 1, 1, 0, 1]


def test_it_says_what_the_nearest_cells_of_the_sample_say() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=2000)
    rep = (np.eye(4, 6)[truth] * 3 + rng.normal(size=(2000, 6))).astype(np.float32)
    graph = neighbor_graph(rep, "X", 15, 0).obsp["connectivities"]
    for n_cells in (400, 40):
        cells = np.sort(rng.choice(2000, n_cells, replace=False))
        others = np.setdiff1d(np.arange(2000), cells)
        found = spread(rep, graph, cells, truth[cells], n_neighbors=15)
        nearest = KNeighborsClassifier(15).fit(rep[cells], truth[cells]).predict(rep[others])
        assert (found[others] == truth[others]).mean() > (nearest == truth[others]).mean() - 0.01
