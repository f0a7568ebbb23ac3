"""ARI and NMI against a count of pairs, the definition by entropies, and their invariances."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.metrics import adjusted_rand_index, normalized_mutual_info

BOTH = [adjusted_rand_index, normalized_mutual_info]
two_partitions = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30).map(np.array)


def ari_by_pairs(a, b):
    pairs = list(combinations(range(len(a)), 2))
    same_a = np.array([a[i] == a[j] for i, j in pairs])
    same_b = np.array([b[i] == b[j] for i, j in pairs])
    expected = same_a.sum() * same_b.sum() / len(pairs)
    largest = (same_a.sum() + same_b.sum()) / 2
    return 1.0 if largest == expected else ((same_a & same_b).sum() - expected) / (largest - expected)


def entropy(*labels):
    counts = np.unique(np.column_stack(labels), axis=0, return_counts=True)[1]
    p = counts / counts.sum()
    return -(p * np.log(p)).sum()


@settings(max_examples=60, deadline=None)
@given(two_partitions)
def test_ari_counts_pairs(partitions) -> None:
    a, b = partitions.T
    assert adjusted_rand_index(a, b) == pytest.approx(ari_by_pairs(a, b), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(two_partitions)
def test_nmi_is_shared_information(partitions) -> None:
    a, b = partitions.T
    shared, mean = entropy(a) + entropy(b) - entropy(a, b), (entropy(a) + entropy(b)) / 2
    expected = shared / mean if mean > 1e-12 else 1.0
    assert normalized_mutual_info(a, b) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", BOTH)
@settings(max_examples=30, deadline=None)
@given(partitions=two_partitions, seed=st.integers(0, 99))
def test_order_and_names_do_not_matter(metric, partitions, seed) -> None:
    a, b = partitions.T
    score = metric(a, b)
    order = np.random.default_rng(seed).permutation(len(a))
    assert metric(a[order], b[order]) == pytest.approx(score, abs=1e-12)
    assert metric(b, a) == pytest.approx(score, abs=1e-12)
    assert metric(a, [f"type {4 - i}" for i in b]) == pytest.approx(score, abs=1e-12)
    assert metric(a, a) == pytest.approx(1.0)
    assert (-0.5 if metric is adjusted_rand_index else 0.0) <= score <= 1.0


def test_rounding_does_not_lift_nmi_above_one() -> None:
    labels = np.repeat(np.arange(7), [1, 3, 7, 5, 2, 6, 6])  # scikit-learn says 1 + 2e-16
    assert 1.0 - 1e-12 < normalized_mutual_info(labels, labels) <= 1.0


@pytest.mark.parametrize("metric", BOTH)
@pytest.mark.parametrize(
    "labels",
    [
        [1, "a", 1, 2.5],
        np.array(["x", "y", "x", "z"]),
        np.array(["x", "y", "x", "z"], dtype=object),
        pd.Categorical(["b", "a", "b", "c"], categories=["c", "b", "a", "unused"]),
        pd.Series([True, False, True, 3], index=[9, 8, 7, 6]),
        pd.Index([3, 2, 3, 1]),
        (1.5, 2.5, 1.5, 3.5),
    ],
)
def test_labels_of_any_type(metric, labels) -> None:
    assert metric(labels, [0, 1, 0, 2]) == 1.0


@pytest.mark.parametrize("metric", BOTH)
def test_errors_name_the_argument(metric) -> None:
    with pytest.raises(ValueError, match="`labels_pred` has 2 entries for 3 cells"):
        metric([0, 1, 1], [0, 1])
    with pytest.raises(ValueError, match="`labels_true` is empty"):
        metric([], [])
    with pytest.raises(ValueError, match="`labels_pred` has 1 missing"):
        metric([0, 1], ["a", None])
    with pytest.raises(ValueError, match=r"`labels_true` has shape \(2, 2\)"):
        metric(np.zeros((2, 2)), [0, 1])
    with pytest.raises(TypeError, match="`labels_true` is 'abc'"):
        metric("abc", [0, 1, 2])
