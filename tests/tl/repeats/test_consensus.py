"""Agreement of clusterings cell by cell, against its definition; the consensus, against what a search would find."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import adjusted_rand_score

from scclr_ext.tl._clustering.partition import by_size
from scclr_ext.tl._repeats.consensus import _climb, consensus, similarity

PARTITION = hnp.arrays(np.int64, 12, elements=st.integers(0, 3)).map(lambda a: np.unique(a, return_inverse=True)[1])
QUICK = settings(max_examples=40, deadline=None)


def element_centric(left: np.ndarray, right: np.ndarray, alpha: float = 0.9) -> np.ndarray:
    """Gates et al. (2019): personalised PageRank on the graph of each clustering, and the L1 distance between them."""

    def affinity(labels: np.ndarray) -> np.ndarray:
        same = (labels[:, None] == labels).astype(float)
        walk = same / same.sum(axis=1, keepdims=True)
        n = len(labels)
        return (1 - alpha) * np.linalg.inv(np.eye(n) - alpha * walk)

    return 1 - np.abs(affinity(left) - affinity(right)).sum(axis=1) / (2 * alpha)


@QUICK
@given(PARTITION, PARTITION)
def test_similarity_is_the_element_centric_one(left, right) -> None:
    np.testing.assert_allclose(similarity(left, right)[left, right], element_centric(left, right), atol=1e-12)


@QUICK
@given(PARTITION, PARTITION)
def test_similarity_properties(left, right) -> None:
    table = similarity(left, right)
    np.testing.assert_array_equal(table, similarity(right, left).T)
    assert ((table >= 0) & (table <= 1)).all()
    np.testing.assert_array_equal(similarity(left, left), np.eye(left.max() + 1))


def test_weights_stand_for_cells() -> None:
    left, right, weights = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([3, 1, 2, 5])
    np.testing.assert_allclose(
        similarity(left, right, weights), similarity(np.repeat(left, weights), np.repeat(right, weights))
    )


@QUICK
@given(PARTITION)
def test_runs_that_agree_are_the_consensus(labels) -> None:
    # The names of clusters differ from run to run: they mean nothing.
    found = consensus(np.stack([labels, labels.max() - labels, by_size(labels)]))
    np.testing.assert_array_equal(found.labels, by_size(labels))
    np.testing.assert_array_equal(found.confidence, 1)


def mean_confidence(labels: np.ndarray, runs: np.ndarray) -> float:
    return float(np.mean([similarity(labels, run)[labels, run] for run in runs]))


@QUICK
@given(st.lists(PARTITION, min_size=2, max_size=5).map(np.stack))
def test_consensus_is_no_worse_than_any_run(runs) -> None:
    found = consensus(runs)
    assert found.confidence.mean() == pytest.approx(mean_confidence(found.labels, runs))
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    np.testing.assert_array_equal(found.labels, by_size(found.labels))
    # But for remnants that were given up, which costs next to nothing, no run is a better consensus.
    climbed = max(_climb(run, runs, np.ones(12)).confidence.mean() for run in runs)
    assert climbed >= max(mean_confidence(run, runs) for run in runs) - 1e-9
    assert found.confidence.mean() >= 0.9 * climbed


def test_what_no_run_knows_is_no_cluster() -> None:
    # Two solid clusters, and 12 cells that every run puts elsewhere.
    rng = np.random.default_rng(0)
    runs = np.stack([np.repeat([0, 1, 2], [100, 80, 12])] * 4)
    runs[:, 180:] = rng.integers(2, size=(4, 12))
    runs[0, 180:] = 2
    found = consensus(runs)
    assert np.bincount(found.labels).tolist() == sorted(np.bincount(found.labels), reverse=True)
    assert found.labels.max() == 1
    assert found.confidence[180:].max() < 0.8 < found.confidence[:180].min()


def test_consensus_is_the_best_of_all_partitions() -> None:
    truth = np.repeat([0, 1, 2], 2)
    runs = np.stack([truth] * 5)
    for run, cell, to in ((0, 0, 1), (1, 3, 2), (2, 5, 0)):  # a different cell errs in each of three runs
        runs[run, cell] = to
    every = (np.unique(p, return_inverse=True)[1] for p in product(range(3), repeat=6))
    best = max(every, key=lambda labels: mean_confidence(labels, runs))
    found = consensus(runs)
    np.testing.assert_array_equal(found.labels, best)
    np.testing.assert_array_equal(found.labels, truth)


def test_cells_vote() -> None:
    # No run is right about every cell, but most runs are right about each.
    truth = np.repeat([0, 1], 20)
    runs = np.stack([truth] * 5)
    for i in range(5):
        runs[i, [i, 20 + i]] = [1, 0]
    found = consensus(runs)
    np.testing.assert_array_equal(found.labels, truth)
    # Such a cell is on the other side in one run of five, where its cluster has one cell in 20 that is not its own.
    others = 0.8 * 19 / 20 + 0.2 * 19 / 20
    np.testing.assert_allclose(found.confidence[10], others)
    np.testing.assert_allclose(found.confidence[0], 0.8 * 19 / 20 + 0.2 / 20)


def test_a_merge_and_a_split_count_alike() -> None:
    whole, halves = np.repeat([0, 0, 1], 10), np.repeat([0, 1, 2], 10)
    merged_once = consensus(np.stack([halves, halves, halves, whole]))
    split_once = consensus(np.stack([whole, whole, whole, halves]))
    assert (merged_once.labels.max() + 1, split_once.labels.max() + 1) == (3, 2)
    for found in (merged_once, split_once):
        np.testing.assert_allclose(found.confidence, [0.875] * 20 + [1.0] * 10)


def test_chance_agrees_with_nothing() -> None:
    runs = np.random.default_rng(0).integers(5, size=(6, 2000))
    found = consensus(runs)
    assert found.confidence.mean() < 0.35


def test_many_cells_need_no_square() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(20, size=200_000)
    runs = np.stack([np.where(rng.random(len(truth)) < 0.02, rng.integers(20, size=len(truth)), truth) for _ in "abc"])
    found = consensus(runs)  # 200 000 squared would not fit
    assert adjusted_rand_score(truth, found.labels) > 0.99
