"""Cells that may stand in for one another."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn import metrics
from torch import Generator

from scclr_ext.engine import neighbors as module
from scclr_ext.engine.neighbors import Neighbors, mutual_neighbors, nearest_neighbors, sample_of_each


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def lists(neighbors: Neighbors) -> list[set[int]]:
    stops = neighbors.indptr.tolist()
    return [set(neighbors.indices[a:b].tolist()) for a, b in zip(stops[:-1], stops[1:], strict=True)]


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 20),
    density=st.sampled_from([0.0, 0.2, 1.0]),
    probability=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_a_cell_stays_or_becomes_one_of_its_list(n, density, probability, seed) -> None:
    rng = np.random.default_rng(seed)
    matrix = sparse.csr_array(rng.random((n, n)) * (rng.random((n, n)) < density))
    neighbors = Neighbors.from_matrix(matrix)
    index = torch.randint(n, (30,), generator=generator(seed))
    drawn = neighbors.draw(index, probability, generator(seed))
    options = lists(neighbors)
    for before, after in zip(index.tolist(), drawn.tolist(), strict=True):
        assert after == before or after in options[before]
        assert after in options[before] or probability < 1 or not options[before]
    assert torch.equal(neighbors.draw(index, 0.0, generator(seed)), index)
    assert torch.equal(neighbors.draw(index, probability, generator(seed)), drawn)


def test_every_neighbour_is_drawn_equally_often_and_with_the_probability() -> None:
    neighbors = Neighbors(torch.tensor([0, 5, 5]), torch.tensor([3, 4, 5, 6, 7]))
    n = 20_000
    drawn = neighbors.draw(torch.zeros(n, dtype=torch.long), 0.4, generator())
    counts = Counter(drawn.tolist())
    assert abs(counts.pop(0) - 0.6 * n) < 4.5 * np.sqrt(0.24 * n)
    assert set(counts) == {3, 4, 5, 6, 7}
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4
    alone = torch.ones(100, dtype=torch.long)
    assert torch.equal(neighbors.draw(alone, 1.0, generator()), alone), "an empty list leaves the cell"


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 30), k=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_nearest_by_hand(n, k, seed) -> None:
    rep = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    for i, found in enumerate(lists(nearest_neighbors(rep, k, 0))):
        distance = np.linalg.norm(rep.astype(float) - rep[i], axis=1)
        distance[i] = np.inf
        assert found == set(np.argsort(distance)[: min(k, n - 1)].tolist())


def blobs(n: int, groups: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = rng.integers(groups, size=n)
    return (rng.normal(0, 4, size=(groups, 20))[group] + rng.normal(size=(n, 20))).astype(np.float32), group


@pytest.mark.parametrize(("wanted", "looked_up"), [(1, 1), (15, 3), (40, 8)])
def test_of_many_cells_some_are_candidates_by_hand(monkeypatch, wanted, looked_up) -> None:
    monkeypatch.setattr("scclr_ext.engine.neighbors._MANY_CELLS", 100)
    monkeypatch.setattr("scclr_ext.engine.neighbors._CANDIDATES", 24)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", 2)
    rep = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    candidates = sample_of_each(np.zeros(120), 24, 7)
    assert 5 < len(set(candidates) - set(range(24))) < 24, "a random part"
    found = nearest_neighbors(rep, wanted, random_state=7)
    for i, near in enumerate(lists(found)):
        distance = np.linalg.norm(rep[candidates].astype(float) - rep[i], axis=1)
        expected = candidates[np.argsort(distance)[: looked_up + 1]].tolist()
        assert near == set(expected) - {i}
    assert torch.equal(nearest_neighbors(rep, wanted, random_state=7).indices, found.indices)
    assert not torch.equal(nearest_neighbors(rep, wanted, random_state=8).indices, found.indices)


def test_the_nearest_candidates_are_as_near_as_the_wanted_number_of_all(monkeypatch) -> None:
    rep, _ = blobs(3000)
    monkeypatch.setattr("scclr_ext.engine.neighbors._MANY_CELLS", 2000)
    monkeypatch.setattr("scclr_ext.engine.neighbors._CANDIDATES", 600)
    near = lists(nearest_neighbors(rep, 20, 0))
    distance = metrics.pairwise_distances(rep)
    farther = [(distance[i] < max(distance[i, j] for j in others)).sum() for i, others in enumerate(near)]
    assert 20 < np.mean(farther) < 25, "one more is looked up, the cell itself or another"


@pytest.mark.parametrize("candidates", [2, 200])
def test_many_cells_that_are_all_alike(monkeypatch, candidates) -> None:
    monkeypatch.setattr("scclr_ext.engine.neighbors._MANY_CELLS", 100)
    monkeypatch.setattr("scclr_ext.engine.neighbors._CANDIDATES", candidates)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", candidates)
    found = lists(nearest_neighbors(np.zeros((400, 1), dtype=np.float32), 5, 0))
    assert not any(i in others for i, others in enumerate(found))
    assert all(found)


def test_of_many_cells_some_are_candidates_and_all_have_partners(monkeypatch) -> None:
    rep, group = blobs(1200)
    codes = np.arange(1200) % 3
    exact = lists(mutual_neighbors(rep, codes, 20, 0))
    monkeypatch.setattr("scclr_ext.engine.neighbors._MANY_CELLS", 1000)
    monkeypatch.setattr("scclr_ext.engine.neighbors._CANDIDATES", 300)
    candidates = set(sample_of_each(codes, 300, 7).tolist())
    found = lists(mutual_neighbors(rep, codes, 20, random_state=7))
    assert np.mean([len(others) > 0 for others in found]) > 0.9 * np.mean([len(others) > 0 for others in exact])
    for i, others in enumerate(found):
        assert all(i in candidates or j in candidates for j in others)
        assert all(codes[i] != codes[j] and group[i] == group[j] for j in others)
    assert lists(mutual_neighbors(rep, codes, 20, random_state=7)) == found
    assert lists(mutual_neighbors(rep, codes, 20, random_state=8)) != found


def test_partners_among_candidates_by_hand(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=60)
    rep = rng.normal(size=(60, 4)).astype(np.float32)
    monkeypatch.setattr("scclr_ext.engine.neighbors._MANY_CELLS", 50)
    monkeypatch.setattr("scclr_ext.engine.neighbors._CANDIDATES", 24)
    monkeypatch.setattr("scclr_ext.engine.neighbors._FEWEST", 2)
    candidates = sample_of_each(codes, 24, 3)
    found = lists(mutual_neighbors(rep, codes, 5, random_state=3))

    centred = rep.astype(float) - rep.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    distance = np.linalg.norm(centred[:, None] - centred, axis=2)

    def nearest(i: int, among: np.ndarray) -> set[int]:
        return set(among[np.argsort(distance[i, among])[:5]].tolist())

    pairs = {
        (i, j)
        for i in range(60)
        for j in candidates.tolist()
        if codes[i] != codes[j]
        and j in nearest(i, candidates[codes[candidates] == codes[j]])
        and i in nearest(j, np.flatnonzero(codes == codes[i]))
    }
    pairs |= {(j, i) for i, j in pairs}
    for i in range(60):
        partners = [b for a, b in pairs if a == i]
        limit = 2 * min((distance[i, j] for j in partners), default=0)
        assert found[i] == {j for j in partners if distance[i, j] <= limit}
    assert any(j not in candidates for others in found for j in others)


def test_when_all_are_candidates_the_same_as_without_any_choice(monkeypatch) -> None:
    rep, _ = blobs(300)
    codes = np.arange(300) % 2
    expected = lists(mutual_neighbors(rep, codes, 10, 0))
    monkeypatch.setattr("scclr_ext.engine.neighbors._MANY_CELLS", 200)
    assert lists(mutual_neighbors(rep, codes, 10, 0)) == expected


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=4), n=st.integers(1, 900), seed=st.integers(0, 99))
def test_a_sample_of_each_batch(sizes, n, seed) -> None:
    batches = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    chosen = sample_of_each(batches, n, seed)
    assert np.array_equal(chosen, np.unique(chosen))
    counts = np.bincount(batches[chosen], minlength=len(sizes))
    if n >= len(batches):
        assert len(chosen) == len(batches)
    else:
        share = np.array(sizes) * n / len(batches)
        assert counts == pytest.approx(np.minimum(sizes, np.maximum(share, 100)), abs=1)


@pytest.mark.parametrize("k", [3, 6])
@pytest.mark.parametrize("n_batches", [2, 3])
def test_mutual_neighbours_by_hand(n_batches, k) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(n_batches, size=30) * 5
    rep = rng.normal(size=(30, 4)).astype(np.float32) + 3
    before = rep.copy()
    found = lists(mutual_neighbors(rep, codes, k, 0))
    assert np.array_equal(rep, before)

    centred = rep.astype(float) - rep.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)

    def nearest(i: int, batch: int) -> set[int]:
        inside = np.flatnonzero(codes == batch)
        return set(inside[np.argsort(-(centred[inside] @ centred[i]))[:k]].tolist())

    left_out = 0
    for i in range(30):
        mutual = [
            j for j in range(30) if codes[j] != codes[i] and j in nearest(i, codes[j]) and i in nearest(j, codes[i])
        ]
        distance = {j: np.linalg.norm(centred[i] - centred[j]) for j in mutual}
        expected = {j for j in mutual if distance[j] <= 2 * min(distance.values())}
        assert found[i] == expected
        left_out += len(mutual) - len(expected)
    assert left_out > 0


def test_of_very_many_batches_a_cell_keeps_the_nearest(monkeypatch) -> None:
    monkeypatch.setattr(module, "_PAIRS_PER_CELL", 12)
    monkeypatch.setattr(module, "_PAIRS_AT_A_TIME", 30 * 16)  # sixteen cells
    rng = np.random.default_rng(0)
    rep, codes = rng.normal(size=(100, 4)).astype(np.float32), np.arange(100) % 10
    everyone = np.arange(100)
    found = module._across(rep, codes, everyone, everyone, 3)
    assert np.diff(found.indptr).tolist() == [12] * 100
    distance = np.linalg.norm(rep[:, None] - rep, axis=2)
    for i in range(100):
        by_batch = [np.flatnonzero(codes == code) for code in range(10) if code != codes[i]]
        looked_up = np.concatenate([inside[np.argsort(distance[i, inside])[:3]] for inside in by_batch])
        assert set(found[[i]].indices) == set(looked_up[np.argsort(distance[i, looked_up])[:12]])
    assert found.data == pytest.approx(distance[found.tocoo().row, found.indices], rel=1e-5)
    monkeypatch.setattr(module, "_PAIRS_PER_CELL", 27)  # as many as there are
    assert np.diff(module._across(rep, codes, everyone, everyone, 3).indptr).tolist() == [27] * 100


def test_a_type_with_fewer_cells_than_neighbours_has_partners_of_its_own_only() -> None:
    rng = np.random.default_rng(0)
    types = np.repeat([0, 0, 0, 1, 2], 20)  # in each batch 30 cells of one type and ten each of two that are alike
    codes = np.arange(100) % 2
    centres = np.array([[0, 0, 0, 10], [10, 3, 0, 0], [10, -3, 0, 0]])
    rep = (centres[types] + rng.normal(0, 0.4, size=(100, 4))).astype(np.float32)
    found = lists(mutual_neighbors(rep, codes, 20, 0))
    for i, others in enumerate(found):
        assert all(types[j] == types[i] for j in others)
    assert min(map(len, found)) > 0


def test_cells_at_the_same_place_are_partners() -> None:
    rep = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = lists(mutual_neighbors(rep, np.arange(12) % 2, 2, 0))
    assert all(len(others) == 2 for others in found)
