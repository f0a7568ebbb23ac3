"""Reference cells around others, against plain loops; and how few cells are compared where there are very many."""

from __future__ import annotations

import numpy as np
import pytest

from scclr_ext.tl._mapping import neighborhoods as module
from scclr_ext.tl._mapping.neighborhoods import find_neighbors, hold_out, look_up, usual_distances


def cells(n: int, seed: int = 0, d: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.fixture
def pairs(monkeypatch) -> list[int]:
    """Pairs of cells compared by each search."""
    compared, find = [], module.find_neighbors
    monkeypatch.setattr(
        module, "find_neighbors", lambda rep, x, k: compared.append(len(rep) * len(x)) or find(rep, x, k)
    )
    return compared


@pytest.mark.parametrize("n_batches", [1, 3])
def test_held_out_cells_do_not_see_themselves_nor_their_batch(n_batches) -> None:
    rep, batches = cells(50), np.arange(50) % n_batches
    held = np.arange(0, 50, 3)
    found = hold_out(rep, batches, held, 7, np.random.default_rng(0))
    for i, cell in enumerate(held):
        allowed = [j for j in range(50) if j != cell and (n_batches == 1 or batches[j] != batches[cell])]
        distance = {j: np.linalg.norm(rep[j] - rep[cell]) for j in allowed}
        nearest = sorted(allowed, key=distance.get)[:7]
        assert sorted(found.places[i]) == sorted(nearest)
        np.testing.assert_allclose(found.distances[i], [distance[j] for j in nearest], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_others", [2, 20, 40])
def test_a_small_batch_is_not_where_all_others_look(n_others) -> None:
    rep, batches = cells(400), (np.arange(400) < n_others).astype(int)
    held = np.arange(0, 400, 7)
    found = hold_out(rep, batches, held, 15, np.random.default_rng(0))
    expected = hold_out(rep, np.zeros(400, dtype=int), held, 15, np.random.default_rng(0))
    assert np.array_equal(found.places, expected.places)


def test_of_cells_in_one_place_as_many_as_asked_for() -> None:
    found = hold_out(
        np.zeros((20, 3), dtype=np.float32), np.zeros(20, dtype=int), np.arange(20), 5, np.random.default_rng(0)
    )
    assert found.places.shape == (20, 5)


def test_of_very_many_cells_nearly_all_of_the_nearest(monkeypatch, pairs) -> None:
    rep, query = cells(4000, d=3), cells(1000, 1, d=3)
    exact = look_up(rep, query, 10, np.random.default_rng(0))
    assert pairs == [4000 * 1000]
    pairs.clear()
    monkeypatch.setattr(module, "_EXACT_PAIRS", 10**6)
    monkeypatch.setattr(module, "_PARTS_AROUND", 12)
    found = look_up(rep, query, 10, np.random.default_rng(0))
    assert sum(pairs) < 0.4 * 4000 * 1000
    assert np.mean([len(np.intersect1d(a, b)) for a, b in zip(exact.places, found.places, strict=True)]) > 9.8
    assert (np.diff(found.distances, axis=1) >= 0).all()
    distances = np.linalg.norm(rep[found.places] - query[:, None], axis=2)
    np.testing.assert_allclose(found.distances, distances, atol=1e-3)
    again = look_up(rep, query, 10, np.random.default_rng(0))
    assert np.array_equal(found.places, again.places)


def test_parts_smaller_than_the_neighbours_asked_for(monkeypatch) -> None:
    rep = np.concatenate([np.zeros((80, 2)), cells(20, d=2)]).astype(np.float32)
    monkeypatch.setattr(module, "_EXACT_PAIRS", 10)
    monkeypatch.setattr(module, "_PARTS_AROUND", 1)
    found = look_up(rep, cells(30, 1, d=2), 60, np.random.default_rng(0))
    assert found.places.shape == (30, 60)
    assert all(len(set(places)) == 60 for places in found.places.tolist())
    assert look_up(rep, cells(30, 1, d=2), 500, np.random.default_rng(0)).places.shape == (30, 100)


@pytest.mark.parametrize("n_batches", [1, 4])
def test_of_very_many_cells_some_say_how_dense_the_others_lie(monkeypatch, pairs, n_batches) -> None:
    rng = np.random.default_rng(0)
    noise = np.repeat([1.0, 5.0], 2000)[:, None] * rng.normal(size=(4000, 6))
    rep = (np.repeat(np.eye(6)[:2] * 99, 2000, axis=0) + noise).astype(np.float32)
    batches, held = rng.integers(0, n_batches, 4000), np.arange(0, 4000, 40)
    around = hold_out(rep, batches, held, 10, rng)
    exact = usual_distances(rep, batches, np.arange(4000), held, around, rng)
    pairs.clear()
    monkeypatch.setattr(module, "_EXACT_PAIRS", 10**6)
    monkeypatch.setattr(module, "_FEWEST_KNOWN", 400)
    found = usual_distances(rep, batches, np.arange(4000), held, around, rng)
    assert sum(pairs) < 4000 * 1500
    assert np.array_equal(found[held], exact[held])
    assert abs(np.median(found / exact) - 1) < 0.1
    assert np.corrcoef(np.log(found), np.log(exact))[0, 1] > 0.95
    wanted = usual_distances(rep, batches, np.arange(50), held, around, rng)
    assert np.array_equal(wanted[:50], exact[:50])


def test_the_nearest_by_hand() -> None:
    rep, query = cells(40), cells(7, 1)
    distances = np.linalg.norm(rep - query[:, None], axis=2)
    assert np.array_equal(find_neighbors(rep, query, 4).places, np.argsort(distances, axis=1)[:, :4])
