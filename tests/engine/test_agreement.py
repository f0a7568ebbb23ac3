from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.metrics import silhouette_score

from scclr_ext.engine.agreement import agreement, partners
from scclr_ext.engine.neighbors import Neighbors, mutual_neighbors

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


def two_batches(n: int = 300, distance: float = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three types; the second batch is moved, the third type of it more than the others and another way."""
    rng = np.random.default_rng(0)
    types, batches = rng.integers(3, size=n), rng.integers(2, size=n)
    rep = rng.normal(size=(n, 8))
    rep[:, :3] += distance * np.eye(3)[types]
    rep[:, 3] += 8 * batches
    rep[:, 4] += 4 * batches * (types == 2)
    return rep.astype(np.float32), types, batches


def test_a_batch_effect_is_left_out_and_the_types_stay() -> None:
    rep, types, batches = two_batches()
    found, turn = partners(rep, batches, 20, 0)
    shared = rep @ turn
    assert silhouette_score(rep, batches) > 0.2
    assert silhouette_score(shared, batches) < 0.02
    assert silhouette_score(shared, types) > silhouette_score(rep, types) + 0.3
    assert all(batches[i] != batches[j] for i, j in zip(*pairs_of(found), strict=True))


def pairs_of(found: Neighbors) -> tuple[np.ndarray, np.ndarray]:
    indptr = found.indptr.numpy()
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), found.indices.numpy()


def test_the_second_look_finds_better_partners() -> None:
    rep, types, batches = two_batches(distance=3)
    once, twice = pairs_of(mutual_neighbors(rep, batches, 20, 0)), pairs_of(partners(rep, batches, 20, 0)[0])
    right = [np.mean(types[i] == types[j]) for i, j in (once, twice)]
    assert right[1] > right[0] + 0.01


def test_many_cells_are_looked_at_twice_only_in_part(monkeypatch) -> None:
    rep, types, batches = two_batches(distance=3)
    seen, asked = [], []

    def watched(scores, batches, *options):
        seen.append(batches)
        asked.append(options)
        return mutual_neighbors(scores, batches, *options)

    monkeypatch.setattr("scclr_ext.engine.agreement.mutual_neighbors", watched)
    monkeypatch.setattr("scclr_ext.engine.agreement._FIRST_LOOK", 200)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", 5)
    found, turn = partners(rep, batches, 20, 0)
    assert [len(b) for b in seen] == [200, 300]
    assert np.bincount(seen[0]) == pytest.approx(np.bincount(batches) * 2 / 3, abs=1)
    again, other = partners(rep, batches, 20, 0), partners(rep, batches, 20, 1)
    assert asked[-2:] == [(20, 1), (20, 1)], "candidates follow from the seed"
    assert np.array_equal(again[1], turn)
    assert not np.array_equal(other[1], turn)
    i, j = pairs_of(found)
    assert np.mean(types[i] == types[j]) > 0.95


def test_a_small_batch_is_not_left_out_of_the_first_look(monkeypatch) -> None:
    monkeypatch.setattr("scclr_ext.engine.agreement._FIRST_LOOK", 60)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", 5)
    rep = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    batches = (np.arange(600) >= 597).astype(int)  # of the 60 cells of the first look its share is none
    assert np.isfinite(partners(rep, batches, 5, 0)[1]).all()


def test_the_scores_stay_as_they_are(rep) -> None:
    before = rep.copy()
    partners(rep, np.arange(N) % 2, 5, 0)
    assert np.array_equal(rep, before)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_cells_that_are_all_alike(value) -> None:
    rep = np.full((20, 1), value, dtype=np.float32)
    found, turn = partners(rep, np.arange(20) % 2, 5, 0)
    assert np.isfinite(turn).all()
    assert len(found.indptr) == 21
