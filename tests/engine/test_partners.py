from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize
from sklearn.metrics import silhouette_score

from scclr_ext.engine.neighbors import Neighbors, mutual_neighbors
from scclr_ext.engine.partners import _offsets, partners

ALIKE = np.ones(8, dtype=np.float32)


def two_batches(n: int = 300, distance: float = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three types; the second batch is moved, the third type of it more than the others and another way."""
    rng = np.random.default_rng(0)
    types, batches = rng.integers(3, size=n), rng.integers(2, size=n)
    rep = rng.normal(size=(n, 8))
    rep[:, :3] += distance * np.eye(3)[types]
    rep[:, 3] += 8 * batches
    rep[:, 4] += 4 * batches * (types == 2)
    return rep.astype(np.float32), types, batches


def of_their_own(n: int = 400, shift: float = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Types 0 and 1 in both batches, 2 in the first and 3 in the second only, as far apart as any."""
    rng = np.random.default_rng(seed)
    batches = rng.integers(2, size=n)
    types = rng.integers(3, size=n)
    types[(types == 2) & (batches == 1)] = 3
    rep = rng.normal(size=(n, 8))
    rep[:, :4] += 6 * np.eye(4)[types]
    rep[:, 4] += shift * batches
    return rep.astype(np.float32), types, batches


def pairs_of(found: Neighbors) -> tuple[np.ndarray, np.ndarray]:
    indptr = found.indptr.numpy()
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), found.indices.numpy()


def share_with_partners(found: Neighbors, of: np.ndarray) -> float:
    return float((np.diff(found.indptr.numpy())[of] > 0).mean())


def test_a_batch_effect_is_left_out_and_the_types_stay() -> None:
    rep, types, batches = two_batches()
    found, turn = partners(rep, ALIKE, batches, 20, 0)
    shared = rep @ turn
    assert silhouette_score(rep, batches) > 0.2
    assert silhouette_score(shared, batches) < 0.02
    assert silhouette_score(shared, types) > silhouette_score(rep, types) + 0.3
    assert all(batches[i] != batches[j] for i, j in zip(*pairs_of(found), strict=True))


def test_types_that_the_other_batch_lacks_have_no_partners() -> None:
    rep, types, batches = of_their_own()
    merely_nearest = mutual_neighbors(rep, batches, 20, 0)
    assert share_with_partners(merely_nearest, types > 1) > 0.5, "mutual neighbours are there all the same"
    found, turn = partners(rep, ALIKE, batches, 20, 0)
    assert share_with_partners(found, types > 1) < 0.1
    assert share_with_partners(found, types < 2) > 0.95
    i, j = pairs_of(found)
    assert (types[i] == types[j]).all()
    shared = (rep @ turn)[types > 1]
    assert silhouette_score(shared, types[types > 1]) > 0.5, "what tells them apart is no batch effect"


def test_an_effect_on_one_type_alone_is_a_batch_effect() -> None:
    """Where it is smaller than what lies between types."""
    rep, types, batches = two_batches()
    found, _ = partners(rep, ALIKE, batches, 20, 0)
    i, j = pairs_of(found)
    assert np.mean(types[i] == types[j]) > 0.99
    for name in range(3):
        assert share_with_partners(found, types == name) > 0.9


def test_an_effect_on_one_type_alone_is_taken_away_before_looking_again() -> None:
    """Of a type that an effect has moved nearly as far as types are apart few cells are partners at first."""
    rng = np.random.default_rng(0)
    batches, types = rng.integers(2, size=400), rng.choice(4, size=400, p=[0.2, 0.2, 0.2, 0.4])
    rep = rng.normal(size=(400, 8))
    rep[:, :4] += 6 * np.eye(4)[types]
    rep[:, 4] += 4 * batches
    rep[:, 5] += 5 * batches * (types == 3)
    rep = rep.astype(np.float32)
    assert share_with_partners(mutual_neighbors(rep, batches, 20, 0), types == 3) < 0.8
    found, _ = partners(rep, ALIKE, batches, 20, 0)
    assert share_with_partners(found, types == 3) > 0.9
    i, j = pairs_of(found)
    assert (types[i] == types[j]).all()


@pytest.mark.parametrize("shift", [0, 6, 20])
def test_how_far_a_batch_is_moved_matters_little(shift) -> None:
    rep, types, batches = of_their_own(shift=shift)
    found, _ = partners(rep, ALIKE, batches, 20, 0)
    i, j = pairs_of(found)
    assert np.mean(types[i] == types[j]) > 0.98
    assert share_with_partners(found, types < 2) > 0.9


def test_a_shift_much_longer_than_the_types_are_apart() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(60) % 3
    codes = np.arange(60) // 3 % 2
    rep = (5 * np.eye(3)[groups] + rng.normal(0, 0.3, size=(60, 3))).astype(np.float32)
    shifted = rep + np.where(codes[:, None] == 1, [40.0, -7.0, 3.0], 0).astype(np.float32)
    i, j = pairs_of(partners(shifted, ALIKE[:3], codes, 5, 0)[0])
    assert len(i) > 60
    assert (groups[i] == groups[j]).all()
    assert (codes[i] != codes[j]).all()


def test_components_without_signal_play_no_part() -> None:
    rep, _, batches = two_batches()
    noise = 30 * np.random.default_rng(1).normal(size=rep.shape).astype(np.float32)
    both, weights = np.hstack([rep, noise]), np.repeat([1, 0], 8).astype(np.float32)
    expected, _ = partners(rep, ALIKE, batches, 20, 0)
    found, turn = partners(both, weights, batches, 20, 0)
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.indptr, expected.indptr)
    assert len(turn) == 16, "what is agreed on is a map of all of them"


def test_offsets_have_the_least_sum_of_distances() -> None:
    """With one partner each, the offset is the geometric median of the differences."""
    rng = np.random.default_rng(0)
    here, there = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + [5, 0, -2]
    there[:12] += 30  # outliers, which would move a mean
    to_partners = sparse.csr_array(np.kron([[0, 1], [1, 0]], np.eye(40)))
    found = _offsets(np.vstack([here, there]), np.repeat([0, 1], 40), to_partners)
    median = minimize(lambda m: np.linalg.norm(there - here - m, axis=1).sum(), np.zeros(3), tol=1e-10).x
    assert found[1] - found[0] == pytest.approx(median, abs=0.1)
    assert np.abs(found[1] - found[0] - (there - here).mean(axis=0)).max() > 5


def test_looking_again_finds_better_partners() -> None:
    rep, types, batches = two_batches(distance=3)
    once = pairs_of(mutual_neighbors(rep, batches, 20, 0))
    again = pairs_of(partners(rep, ALIKE, batches, 20, 0)[0])
    right = [np.mean(types[i] == types[j]) for i, j in (once, again)]
    assert right[1] > right[0] + 0.01


def test_of_many_cells_only_a_part_estimates_the_effect(monkeypatch) -> None:
    rep, types, batches = two_batches(distance=3)
    seen, asked = [], []

    def watched(scores, batches, *options):
        seen.append(batches)
        asked.append(options)
        return mutual_neighbors(scores, batches, *options)

    monkeypatch.setattr("scclr_ext.engine.partners.mutual_neighbors", watched)
    monkeypatch.setattr("scclr_ext.engine.partners._FIRST_LOOK", 200)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", 5)
    found, turn = partners(rep, ALIKE, batches, 20, 0)
    assert [len(b) for b in seen] == [200, 200, 200, 300]
    assert np.bincount(seen[0]) == pytest.approx(np.bincount(batches) * 2 / 3, abs=1)
    again, other = partners(rep, ALIKE, batches, 20, 0), partners(rep, ALIKE, batches, 20, 1)
    assert asked[-4:] == [(20, 1)] * 4, "candidates follow from the seed"
    assert np.array_equal(again[1], turn)
    assert not np.array_equal(other[1], turn)
    i, j = pairs_of(found)
    assert np.mean(types[i] == types[j]) > 0.95
    assert share_with_partners(found, types >= 0) > 0.9


def test_a_small_batch_is_not_left_out_of_the_estimate(monkeypatch) -> None:
    monkeypatch.setattr("scclr_ext.engine.partners._FIRST_LOOK", 60)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", 5)
    rep = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    batches = (np.arange(600) >= 597).astype(int)  # of the 60 cells its share is none
    assert np.isfinite(partners(rep, ALIKE, batches, 5, 0)[1]).all()


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4),
    spread=st.sampled_from([0.0, 1e-10, 1.0, 1e6]),
    seed=st.integers(0, 99),
)
def test_any_batches(sizes, spread, seed) -> None:
    rng = np.random.default_rng(seed)
    batches = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)) * 3
    rep = (spread * rng.normal(size=(len(batches), 8))).astype(np.float32)
    before = rep.copy()
    found, turn = partners(rep, ALIKE, batches, 5, 0)
    assert np.array_equal(rep, before)
    assert np.isfinite(turn).all()
    i, j = pairs_of(found)
    assert (batches[i] != batches[j]).all()


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_cells_that_are_all_alike(value) -> None:
    rep = np.full((20, 1), value, dtype=np.float32)
    found, turn = partners(rep, np.ones(1, dtype=np.float32), np.arange(20) % 2, 5, 0)
    assert np.isfinite(turn).all()
    assert len(found.indptr) == 21
