"""Silhouette and Calinski-Harabasz against their definitions, and the sampling of the former."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics import calinski_harabasz_score, silhouette_score

from scclr_ext.metrics import calinski_harabasz, silhouette, silhouette_samples


def widths_by_definition(x, labels, metric="euclidean"):
    distances, widths = cdist(x, x, metric), []
    for i, own in enumerate(labels):
        mates = (labels == own) & (np.arange(len(x)) != i)
        if not mates.any():
            widths.append(0.0)
            continue
        a = distances[i, mates].mean()
        b = min(distances[i, labels == other].mean() for other in set(labels) - {own})
        widths.append((b - a) / max(a, b))
    return np.array(widths)


def blobs(n=60, d=4, k=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    labels[:k] = np.arange(k)
    return 2 * rng.normal(size=(k, d))[labels] + rng.normal(size=(n, d)), labels


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_widths_follow_the_definition(metric) -> None:
    x, labels = blobs()
    labels[0] = 7  # a cluster of one cell
    samples = silhouette_samples(x, labels, metric=metric)
    np.testing.assert_allclose(samples.values, widths_by_definition(x, labels, metric), atol=1e-10)
    np.testing.assert_array_equal(samples.cells, np.arange(len(x)))
    np.testing.assert_allclose(samples.weights, 1 / len(x))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_mean_agrees_with_sklearn_and_knows_no_order(seed) -> None:
    x, labels = blobs(n=30, seed=seed)
    order = np.random.default_rng(seed).permutation(len(x))
    score = silhouette(x, labels)
    assert score == pytest.approx(silhouette_score(x, labels))
    assert silhouette(x[order], [f"type {9 - i}" for i in labels[order]]) == pytest.approx(score)
    assert -1 <= score <= 1
    assert calinski_harabasz(x[order], 5 - labels[order]) == pytest.approx(calinski_harabasz_score(x, labels))


def test_a_sample_keeps_rare_clusters_and_the_mean() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [1500, 480, 20])
    x = 3 * np.eye(3)[labels] + rng.normal(size=(2000, 3))
    samples = silhouette_samples(x, labels, sample_size=300)
    assert np.bincount(labels[samples.cells]).tolist() == [140, 140, 20]
    assert samples.weights.sum() == pytest.approx(1)
    assert len(np.unique(samples.cells)) == len(samples.cells) == 300
    estimates = [silhouette(x, labels, sample_size=300, random_state=seed) for seed in range(8)]
    assert np.mean(estimates) == pytest.approx(silhouette(x, labels), abs=0.02)
    assert silhouette(x, labels, sample_size=300) == estimates[0] != estimates[1]
    assert silhouette(x, labels, sample_size=5000) == pytest.approx(silhouette(x, labels))


def test_every_cluster_keeps_two_cells_of_a_tiny_sample() -> None:
    x, labels = blobs(n=90, k=9)
    samples = silhouette_samples(x, labels, sample_size=4)
    assert np.bincount(labels[samples.cells]).max() == 2


def test_sampling_leaves_the_global_generator_alone() -> None:
    x, labels = blobs()
    before = np.random.get_state()[1].copy()
    silhouette(x, labels, sample_size=20)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_calinski_harabasz_is_the_ratio_of_variances() -> None:
    x, labels = blobs()
    means = np.array([x[labels == k].mean(axis=0) for k in range(3)])
    between = (np.bincount(labels)[:, None] * (means - x.mean(axis=0)) ** 2).sum() / 2
    within = ((x - means[labels]) ** 2).sum() / (len(x) - 3)
    assert calinski_harabasz(x, labels) == pytest.approx(between / within)
    assert calinski_harabasz(10 * x + 3, labels) == pytest.approx(between / within)


def test_calinski_harabasz_without_spread() -> None:
    assert calinski_harabasz([[0.0], [0.0], [1.0]], [0, 0, 1]) == float("inf")
    assert calinski_harabasz([[2.0], [2.0], [2.0]], [0, 0, 1]) == 0.0


@pytest.mark.parametrize("metric", [silhouette, calinski_harabasz])
def test_errors(metric) -> None:
    x, labels = blobs()
    with pytest.raises(ValueError, match="`labels` has 1 different labels for 60 cells"):
        metric(x, np.zeros(60))
    with pytest.raises(ValueError, match="60 different labels"):
        metric(x, np.arange(60))
    with pytest.raises(ValueError, match="`labels` has 59 entries for 60 cells"):
        metric(x, labels[1:])
    with pytest.raises(ValueError, match="1 entries that are NaN"):
        metric(np.where(np.arange(240).reshape(60, 4) == 5, np.nan, x), labels)
    with pytest.raises(ValueError, match=r"`representation` has shape \(60,\)"):
        metric(x[:, 0], labels)
    with pytest.raises(TypeError, match="`representation` is a sparse matrix"):
        metric(sparse.csr_matrix(x), labels)
    with pytest.raises(TypeError, match="`representation` holds"):
        metric(x.astype(str), labels)


def test_errors_of_the_sample() -> None:
    x, labels = blobs()
    with pytest.raises(ValueError, match="`sample_size` is 1"):
        silhouette(x, labels, sample_size=1)
    with pytest.raises(TypeError, match="`sample_size` is 0.5"):
        silhouette(x, labels, sample_size=0.5)  # type: ignore[arg-type]


def test_silhouettes_far_from_the_origin_are_the_same() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = rng.normal(size=(60, 4)) + labels[:, None]
    assert silhouette(values + 1e8, labels) == pytest.approx(silhouette(values, labels), abs=1e-6)
