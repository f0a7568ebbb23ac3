"""Votes, calibration and novelty against plain loops and known truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.io import Reference
from scclr_ext.tl._mapping import neighborhoods as _neighborhoods
from scclr_ext.tl._mapping import transfer as module
from scclr_ext.tl._mapping.neighborhoods import Neighborhoods
from scclr_ext.tl._mapping.shift import shift_batches
from scclr_ext.tl._mapping.transfer import Calibration, assess, calibrate, directions, vote


def cells(n: int, seed: int = 0, d: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def assessed(reference: Reference, query: np.ndarray, **options):
    options = {"n_neighbors": 10, "quantile": 0.95, "rng": np.random.default_rng(0), **options}
    return assess(reference, query, **options)


def a_reference(rep: np.ndarray, codes: np.ndarray, batches: np.ndarray | None = None) -> Reference:
    batches = np.zeros(len(rep), dtype=np.int32) if batches is None else batches
    return Reference(rep, "label", tuple(f"l{i}" for i in range(codes.max() + 1)), codes.astype(np.int32), batches)


def test_cells_in_one_place() -> None:
    result = assessed(a_reference(np.zeros((20, 3), dtype=np.float32), np.arange(20) % 2), np.zeros((4, 3), np.float32))
    assert np.isfinite(result.novelty).all()
    assert np.isfinite(result.confidence).all()


def test_votes_by_hand() -> None:
    around = Neighborhoods(np.array([[0.0, 1.0, 2.0]]), np.array([[2, 0, 1]]))
    weights = np.exp(-(np.array([0.0, 0.5, 1.0]) ** 2))
    expected = np.array([weights[1] + weights[2], weights[0]]) / weights.sum()
    np.testing.assert_allclose(vote(around, np.array([0, 0, 1]), 2), [expected])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 6), st.floats(0.003, 1), st.floats(0.5, 2.8))
def test_probabilities_are_probabilities(seed, n_labels, smoothing, sharpness) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(n_labels, 0.2), 40)
    frequency = rng.dirichlet(np.ones(n_labels))
    found = Calibration(smoothing, sharpness, frequency).probabilities(shares)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found >= 0).all()


@pytest.mark.parametrize("sharpness", [0.7, 1.0, 2.0])
def test_calibration_finds_the_truth(sharpness) -> None:
    """Labels drawn from sharpened shares: the fitted confidence meets the share that is right."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(3, 0.7), 6000)
    chance = shares**sharpness / (shares**sharpness).sum(1, keepdims=True)
    truth = np.array([rng.choice(3, p=p) for p in chance])
    found = calibrate(shares, truth).probabilities(shares)
    right = found.argmax(1) == truth
    confidence = found.max(1)
    assert abs(confidence.mean() - right.mean()) < 0.015
    for low, high in ((0.4, 0.6), (0.6, 0.8), (0.8, 0.95)):
        inside = (confidence > low) & (confidence < high)
        assert abs(confidence[inside].mean() - right[inside].mean()) < 0.05


def test_labels_that_mean_nothing_get_no_confidence() -> None:
    rng = np.random.default_rng(0)
    result = assessed(a_reference(cells(600), rng.integers(0, 4, 600)), cells(200, 1))
    assert abs(result.confidence.mean() - 0.25) < 0.08
    assert result.held_out["accuracy"] < 0.35


def test_a_shift_of_everything_changes_nothing() -> None:
    rep, query, codes = cells(100), cells(30, 1), np.arange(100) % 3
    first, second = (assessed(a_reference(rep + s, codes), query + s) for s in (0, np.float32(5)))
    assert (first.codes == second.codes).all()
    np.testing.assert_allclose(first.novelty, second.novelty, rtol=1e-3)
    scaled = assessed(a_reference(rep * 9, codes), query * 9)
    np.testing.assert_allclose(first.novelty, scaled.novelty, rtol=1e-3)


def test_directions_have_unit_length() -> None:
    found = directions(cells(20), np.zeros(6, dtype=np.float32))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert (directions(np.ones((3, 2)), np.ones(2)) == 0).all()


def test_the_quantile_holds_for_cells_like_the_reference() -> None:
    result = assessed(a_reference(cells(2000, d=3), np.zeros(2000, dtype=int)), cells(2000, 1, d=3), quantile=0.8)
    assert abs((result.novelty > 1).mean() - 0.2) < 0.06


def test_a_direction_nobody_took_is_novel() -> None:
    rng = np.random.default_rng(0)
    axes = np.eye(6)[:2]
    rep = (axes[np.arange(300) % 2] * 5 + rng.normal(0, 0.5, (300, 6))).astype(np.float32)
    query = (np.eye(6)[3] * 5 + rng.normal(0, 0.5, (20, 6))).astype(np.float32)
    result = assessed(a_reference(rep, np.arange(300) % 2), np.concatenate([query, rep[:20] + np.float32(0.01)]))
    assert (result.novelty[:20] > 1).all()
    assert (result.novelty[20:] < 1.2).all()


def test_large_references_are_sampled(monkeypatch) -> None:
    monkeypatch.setattr(module, "_HELD_OUT", 100)
    rep, codes = cells(400), np.arange(400) % 2
    result = assessed(a_reference(rep, codes), cells(50, 1))
    assert result.held_out["n_cells"] == 100
    monkeypatch.setattr(module, "_HELD_OUT", 1000)
    full = assessed(a_reference(rep, codes), cells(50, 1))
    ratio = result.novelty / full.novelty  # only the limit differs
    assert np.ptp(ratio) < 1e-4
    assert 0.7 < ratio[0] < 1.4


@pytest.mark.parametrize("n_batches", [1, 3])
def test_very_many_cells_fare_as_when_all_are_compared(monkeypatch, n_batches) -> None:
    rng = np.random.default_rng(0)
    kinds, spread = np.eye(6)[:4] * 8, np.array([0.3, 1.0, 0.5, 1.5])
    codes, batches = rng.integers(0, 4, 3000), rng.integers(0, n_batches, 3000).astype(np.int32)
    rep = (kinds[codes] + spread[codes, None] * rng.normal(size=(3000, 6))).astype(np.float32)
    truth = rng.integers(0, 4, 2000)
    query = (kinds[truth] + spread[truth, None] * rng.normal(size=(2000, 6))).astype(np.float32)
    query[:50] = np.eye(6)[5] * 8 + rng.normal(size=(50, 6))
    reference = a_reference(rep, codes, batches)
    monkeypatch.setattr(module, "_HELD_OUT", 500)
    exact = assessed(reference, query)
    monkeypatch.setattr(_neighborhoods, "_EXACT_PAIRS", 10**5)
    found, again = assessed(reference, query), assessed(reference, query)
    assert np.array_equal(found.novelty, again.novelty)
    assert (found.codes == exact.codes)[50:].mean() > 0.99
    assert ((found.novelty > 1) == (exact.novelty > 1)).mean() > 0.95
    assert (found.novelty[:50] > 1).all()
    assert abs((found.novelty > 1)[50:].mean() - 0.05) < 0.03


def test_labels_are_the_same_however_many_cells_are_labelled_at_a_time(monkeypatch) -> None:
    reference, query = a_reference(cells(300), np.arange(300) % 3), cells(100, 1)
    expected, sizes, voted = assessed(reference, query), [], module.vote
    monkeypatch.setattr(module, "_VOTERS", 30)
    monkeypatch.setattr(module, "vote", lambda around, *rest: sizes.append(len(around.places)) or voted(around, *rest))
    found = assessed(reference, query)
    assert sizes == [300, 30, 30, 30, 10]
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.confidence, expected.confidence)


@pytest.mark.parametrize("seed", range(4))
def test_a_few_labelled_cells_of_many_are_the_ones_held_out(monkeypatch, seed) -> None:
    monkeypatch.setattr(module, "_HELD_OUT", 50)
    codes = np.full(400, -1)
    codes[[3, 200, 300]] = [0, 1, 1]
    result = assessed(a_reference(cells(400), codes), cells(20, 1), rng=np.random.default_rng(seed))
    assert set(result.codes) <= {0, 1}
    assert np.isfinite(result.confidence).all()
    assert np.isfinite(list(result.held_out.values())).all()


def test_neighbours_fewer_than_asked_for() -> None:
    result = assessed(a_reference(cells(4), np.array([0, 0, 1, 1])), cells(3, 1), n_neighbors=50)
    assert np.isfinite(result.novelty).all()
    assert set(result.codes) <= {0, 1}


# Batches


def test_a_known_shift_is_undone() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 6, (3, 5))
    rep = (centers[rng.integers(0, 3, 300)] + rng.normal(size=(300, 5))).astype(np.float32)
    query = (centers[rng.integers(0, 3, 200)] + rng.normal(size=(200, 5)) + 2).astype(np.float32)
    moved, n_pairs = shift_batches(rep, query, np.zeros(200, dtype=int), 15, rng)
    step = moved - query
    assert np.ptp(step, axis=0).max() < 1e-5
    np.testing.assert_allclose(step[0], -2, atol=0.5)
    assert n_pairs[0] > 100


def test_a_type_the_reference_lacks_is_not_drawn_in() -> None:
    rng = np.random.default_rng(0)
    centers = np.eye(4) * 8
    rep = (centers[rng.integers(0, 2, 300)] + rng.normal(size=(300, 4))).astype(np.float32)
    kinds = rng.integers(0, 3, 300)  # the third is unknown
    query = (centers[kinds] + rng.normal(size=(300, 4)) + 1).astype(np.float32)
    moved, _ = shift_batches(rep, query, np.zeros(300, dtype=int), 15, rng)
    np.testing.assert_allclose((moved - query)[0], -1, atol=0.6)


@pytest.mark.parametrize(("n", "moves"), [(3, False), (9, False), (60, True)])
def test_a_batch_of_a_few_cells_stays_where_it_is(n, moves) -> None:
    rng = np.random.default_rng(0)
    rep, query = cells(400), cells(n, 1) + 2
    moved, n_pairs = shift_batches(rep, query, np.zeros(n, dtype=int), 40, rng)
    assert n_pairs[0] > 30 or not moves
    assert (not np.array_equal(moved, query)) == moves


def test_labels_that_mean_nothing_are_believed_no_more_than_chance() -> None:
    rng = np.random.default_rng(3)
    shares = rng.multinomial(15, np.full(5, 0.2), size=2000) / 15
    truth = rng.integers(0, 5, 2000)
    assert calibrate(shares, truth).probabilities(shares).max(axis=1).mean() < 0.22
