"""How many components are more signal than noise: formulas against simulated noise."""

from __future__ import annotations

import numpy as np
import pytest

from scclr_ext.engine.signal import count_signal, half_signal, noise_edge


def components(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """What `count_signal` takes."""
    values = values - values.mean(axis=0)
    _, s, v = np.linalg.svd(values, full_matrices=False)
    return s[:50] ** 2 / len(values), v[:50], values.var(axis=0), len(values)


@pytest.mark.parametrize(("n_cells", "n_genes"), [(1000, 100), (300, 300), (100, 2000)])
def test_edge_of_equal_variances_is_that_of_marchenko_and_pastur(n_cells, n_genes) -> None:
    expected = (1 + np.sqrt(n_genes / n_cells)) ** 2
    assert noise_edge(np.ones(n_genes), n_cells) == pytest.approx(expected, rel=1e-6)
    assert noise_edge(np.full(n_genes, 3.0), n_cells) == pytest.approx(3 * expected, rel=1e-6)
    assert noise_edge(np.append(np.ones(n_genes), np.zeros(50)), n_cells) == pytest.approx(expected, rel=1e-6)


def test_edge_of_no_variance() -> None:
    assert noise_edge(np.zeros(5), 10) == 0
    assert noise_edge(np.zeros(0), 10) == 0


@pytest.mark.parametrize(("n_cells", "n_genes"), [(1500, 600), (400, 1600)])
def test_edge_of_unequal_variances_against_simulated_noise(n_cells, n_genes) -> None:
    rng = np.random.default_rng(0)
    variances = rng.choice([0.2, 1.0, 3.0], size=n_genes)
    noise = rng.normal(size=(n_cells, n_genes)) * np.sqrt(variances)
    largest = np.linalg.norm(noise, 2) ** 2 / n_cells
    assert noise_edge(variances, n_cells) == pytest.approx(largest, rel=0.03)
    assert (1 + np.sqrt(n_genes / n_cells)) ** 2 * variances.mean() < 0.9 * largest, "their mean would not do"


@pytest.mark.parametrize(("n_cells", "n_genes"), [(2000, 500), (1000, 1000), (500, 2000)])
def test_a_component_that_is_half_signal(n_cells, n_genes) -> None:
    rng = np.random.default_rng(1)
    ratio = n_genes / n_cells
    wanted = half_signal(ratio) * (1 + np.sqrt(ratio)) ** 2
    # Solve the spike from the variance it has in the sample: (1 + x)(1 + c / x) = wanted.
    x = max(np.roots([1, 1 + ratio - wanted, ratio]).real)
    correlations, variances = [], []
    for _ in range(4):
        true, axis = rng.normal(size=n_cells), rng.normal(size=n_genes)
        values = rng.normal(size=(n_cells, n_genes)) + np.sqrt(x) * np.outer(true, axis / np.linalg.norm(axis))
        u, s, _ = np.linalg.svd(values, full_matrices=False)
        variances.append(s[0] ** 2 / n_cells)
        correlations.append((u[:, 0] @ true) ** 2 / (true @ true))
    assert np.mean(variances) == pytest.approx(wanted, rel=0.03)
    assert np.mean(correlations) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(("n_cells", "n_genes"), [(1000, 400), (300, 900)])
@pytest.mark.parametrize("n_directions", [0, 1, 12])
def test_planted_directions_are_counted(n_cells, n_genes, n_directions) -> None:
    rng = np.random.default_rng(2)
    axes = np.linalg.qr(rng.normal(size=(n_genes, max(1, n_directions))))[0].T[:n_directions]
    values = rng.normal(size=(n_cells, n_genes)) * np.sqrt(rng.gamma(2.0, 0.5, size=n_genes))
    # From a strength that only shows once the stronger ones are known to be no noise.
    strength = np.sqrt(np.geomspace(400, 25, n_directions) * max(1, n_genes / n_cells))
    values += (rng.normal(size=(n_cells, n_directions)) * strength) @ axes
    assert count_signal(*components(values)) == n_directions


@pytest.mark.parametrize(("strength", "expected"), [(1.64, 0), (3.0, 1)])
def test_a_direction_that_shows_but_is_mostly_noise_does_not_count(strength, expected) -> None:
    rng = np.random.default_rng(3)
    axis = rng.normal(size=1000)
    true = rng.normal(size=(1000, 1)) * np.sqrt(strength)
    taken = components(rng.normal(size=(1000, 1000)) + true * axis / np.linalg.norm(axis))
    assert taken[0][0] > 1.02 * noise_edge(np.ones(1000), 1000), "it is above what noise alone would give"
    assert count_signal(*taken) == expected


def test_many_components_of_few_cells_leave_noise_as_strong_as_it_was() -> None:
    rng = np.random.default_rng(4)
    axes = np.linalg.qr(rng.normal(size=(800, 25)))[0].T
    taken = components(rng.normal(size=(80, 800)) + rng.normal(size=(80, 25)) * 30 @ axes)
    assert count_signal(*taken) == 25


def test_very_few_cells() -> None:
    for n_cells in (2, 3, 5):
        values = np.random.default_rng(0).normal(size=(n_cells, 8))
        values -= values.mean(axis=0)
        _, s, v = np.linalg.svd(values, full_matrices=False)
        found = count_signal(s[:-1] ** 2 / n_cells, v[:-1], values.var(axis=0), n_cells)
        assert 0 <= found < n_cells
    assert count_signal(np.zeros(3), np.eye(3), np.zeros(3), 10) == 0
