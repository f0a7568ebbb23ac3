from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist

from scclr_ext.engine.agreement import agreement
from scclr_ext.engine.neighbors import Neighbors

N, D = 60, 5


def some_pairs(n: int = N, density: float = 0.1) -> np.ndarray:
    """Who is whose partner; some cells have none."""
    links = np.random.default_rng(1).random((n, n)) < density
    links[:7] = False
    return (links | links.T) & ~np.eye(n, dtype=bool)


def neighbors(links: np.ndarray) -> Neighbors:
    return Neighbors.from_matrix(sparse.csr_array(links.astype(np.int8)))


@pytest.fixture
def rep() -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(N, D)) * [5, 3, 2, 1, 0.5] + 4).astype(np.float32)


def test_against_the_formula(rep) -> None:
    """(T - D) / T of the scores, worked out pair by pair."""
    links, x = some_pairs(), rep.astype(float)
    # Partners that are more alike than others, but not in the first score.
    x[:, 1:] = links @ x[:, 1:] / np.maximum(links.sum(1), 1)[:, None] + 0.1 * x[:, 1:]
    between, with_partners = np.zeros((D, D)), 0
    for i in range(N):
        others = np.flatnonzero(links[i])
        with_partners += len(others) > 0
        for j in others:
            between += np.outer(x[i] - x[j], x[i] - x[j]) / (2 * len(others))
    between /= with_partners
    total = np.cov(x.T, bias=True)
    values, vectors = np.linalg.eig(np.linalg.solve(total, total - between))
    keeping = (vectors * np.clip(values.real, 0, None)) @ np.linalg.inv(vectors)  # negative shares left out
    found = agreement(x.astype(np.float32), neighbors(links))
    assert 1 <= (values.real > 0.01).sum() <= found.shape[1] <= (values.real > 0).sum() < D
    assert pdist(x @ found) == pytest.approx(pdist(x @ keeping.real), rel=1e-2, abs=1e-2)
    spread = np.cov((x @ found).T, bias=True)
    assert spread == pytest.approx(np.diag(np.sort(np.diag(spread))[::-1]), abs=1e-4)


def test_signs_do_not_hang_on_rounding(rep) -> None:
    links = neighbors(some_pairs())
    found, turned = agreement(rep, links), agreement(rep[:, ::-1].copy(), links)
    assert found.shape[1] > 1
    assert turned[::-1] == pytest.approx(found, rel=1e-3, abs=1e-4)
    for column in found.T:
        assert column[np.abs(column).argmax()] > 0


def test_directions_with_next_to_no_variance_are_left_out(rep) -> None:
    flat = np.concatenate([rep, 1e-3 * rep[::-1, :1]], axis=1)
    assert agreement(flat, neighbors(np.zeros((N, N), dtype=bool))).shape == (D + 1, D)


def test_without_partners_everything_is_shared(rep) -> None:
    found = agreement(rep, neighbors(np.zeros((N, N), dtype=bool)))
    assert pdist(rep @ found) == pytest.approx(pdist(rep), rel=1e-4)


def test_partners_that_are_less_alike_than_any_two_share_nothing() -> None:
    rep = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    rep = np.concatenate([rep, -rep])
    links = np.zeros((2 * N, 2 * N), dtype=bool)
    links[np.arange(N), np.arange(N) + N] = links[np.arange(N) + N, np.arange(N)] = True
    assert agreement(rep, neighbors(links)).shape == (2, 0)
