"""How much of each component is signal: formulas against simulated noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import svds

from scclr_ext.engine.signal import noise_edge, share_above, signal_shares


def components(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `signal_shares` takes."""
    values = values - values.mean(axis=0)
    _, s, v = np.linalg.svd(values, full_matrices=False)
    return s[:50] ** 2 / len(values), v[:50], values.var(axis=0), (values**2).sum(axis=1)


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
@pytest.mark.parametrize("strength", [1.2, 2.0, 6.0])
def test_share_of_a_planted_direction(n_cells, n_genes, strength) -> None:
    rng = np.random.default_rng(1)
    ratio = n_genes / n_cells
    x = strength * np.sqrt(ratio)  # what shows begins at the root of the ratio
    true_shares, found = [], []
    for _ in range(6):
        true, axis = rng.normal(size=n_cells), rng.normal(size=n_genes)
        values = rng.normal(size=(n_cells, n_genes)) + np.sqrt(x) * np.outer(true, axis / np.linalg.norm(axis))
        u, s, _ = svds(values, k=1, random_state=0)  # all of them take ten times as long
        above = s[:1] ** 2 / n_cells / (1 + np.sqrt(ratio)) ** 2
        true_shares.append((u[:, 0] @ true) ** 2 / (true @ true))
        found.append(share_above(above, ratio)[0])
    assert np.mean(found) == pytest.approx(np.mean(true_shares), abs=0.1)


def test_share_rises_from_nothing_at_the_edge_to_all() -> None:
    for genes_per_cell in (0.01, 0.5, 1.0, 20.0):
        shares = share_above(np.array([0.0, 0.5, 1.0, 1.0001, 1.01, 1.5, 4.0, 1e3, np.inf]), genes_per_cell)
        assert shares[:3] == pytest.approx(0, abs=1e-6)
        assert (np.diff(shares) >= -1e-9).all()
        assert shares[3] < 0.1, "no jump"
        assert shares[-1] == 1


@pytest.mark.parametrize(("n_cells", "n_genes"), [(1000, 400), (300, 900)])
@pytest.mark.parametrize("n_directions", [0, 1, 12])
def test_planted_directions_are_told_from_noise(n_cells, n_genes, n_directions) -> None:
    rng = np.random.default_rng(2)
    axes = np.linalg.qr(rng.normal(size=(n_genes, max(1, n_directions))))[0].T[:n_directions]
    values = rng.normal(size=(n_cells, n_genes)) * np.sqrt(rng.gamma(2.0, 0.5, size=n_genes))
    # From a strength that only shows once the stronger ones are known to be no noise.
    strength = np.sqrt(np.geomspace(400, 25, n_directions) * max(1, n_genes / n_cells))
    values += (rng.normal(size=(n_cells, n_directions)) * strength) @ axes
    shares = signal_shares(*components(values))
    assert (shares[:n_directions] > 0.7).all()
    assert (shares[n_directions:] < 0.35).all()


def test_what_stronger_components_explain_is_no_noise_to_the_others() -> None:
    rng = np.random.default_rng(3)
    axes = np.zeros((2, 400))
    axes[0, :20], axes[1, 20:] = 20**-0.5, 380**-0.5
    scores = rng.normal(size=(1000, 2)) * [60.0, 2.0]  # the first one's genes vary a hundred times as much
    taken = components(rng.normal(size=(1000, 400)) + scores @ axes)
    assert taken[0][1] < noise_edge(taken[2], 1000), "were all variance noise, the second would not show"
    assert signal_shares(*taken)[1] > 0.5


def test_many_components_of_few_cells_leave_noise_as_strong_as_it_was() -> None:
    rng = np.random.default_rng(4)
    axes = np.linalg.qr(rng.normal(size=(800, 25)))[0].T
    taken = components(rng.normal(size=(80, 800)) + rng.normal(size=(80, 25)) * 30 @ axes)
    shares = signal_shares(*taken)
    assert (shares[:25] > 0.5).all()
    assert (shares[25:] < 0.5).all()


def test_very_few_cells() -> None:
    for n_cells in (2, 3, 5):
        values = np.random.default_rng(0).normal(size=(n_cells, 8))
        values -= values.mean(axis=0)
        _, s, v = np.linalg.svd(values, full_matrices=False)
        found = signal_shares(s[:-1] ** 2 / n_cells, v[:-1], values.var(axis=0), (values**2).sum(axis=1))
        assert found.shape == (n_cells - 1,)
        assert ((found >= 0) & (found <= 1)).all()
    assert signal_shares(np.zeros(3), np.eye(3), np.zeros(3), np.zeros(10)).tolist() == [0, 0, 0]


def test_no_noise_at_all() -> None:
    axis, scores = np.full((1, 4), 0.5), np.random.default_rng(0).normal(size=50)
    scores *= 2 / scores.std()
    shares = signal_shares(np.array([4.0]), axis, np.ones(4), scores**2)
    assert shares[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("n_cells", "n_genes"), [(1500, 600), (400, 1600)])
@pytest.mark.parametrize("spread", [0.1, 0.3])
def test_edge_of_unlike_cells_against_simulated_noise(n_cells, n_genes, spread) -> None:
    rng = np.random.default_rng(5)
    of_genes = rng.gamma(3.0, 1 / 3, n_genes)
    of_cells = rng.lognormal(0, 2 * spread, n_cells)
    noise = rng.normal(size=(n_cells, n_genes)) * np.sqrt(of_genes) * np.sqrt(of_cells)[:, None]
    largest = np.linalg.norm(noise, 2) ** 2 / n_cells
    found = noise_edge(of_genes * of_cells.mean(), n_cells, 7 * of_cells)
    assert found == pytest.approx(largest, rel=0.08)
    assert noise_edge(of_genes * of_cells.mean(), n_cells) < found
    assert noise_edge(of_genes, n_cells, np.ones(n_cells)) == pytest.approx(noise_edge(of_genes, n_cells), rel=1e-6)


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.2])
def test_noise_that_differs_between_cells_is_no_signal(spread) -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(600, 1500)) * rng.lognormal(0, spread, 600)[:, None]
    assert not signal_shares(*components(values)).any()
    types = np.sign(rng.normal(size=(600, 1))) * rng.normal(size=1500) * 0.5
    assert signal_shares(*components(values + types))[0] > 0.7
    values[0] *= 6
    assert signal_shares(*components(values + 0.3 * types))[1] > 0.7, "an odd cell makes noise of nothing else"


@pytest.mark.parametrize(("n_cells", "asked"), [(140, False), (600, True)])
def test_few_cells_are_not_asked_whether_all_is_noise(n_cells, asked) -> None:
    rng = np.random.default_rng(7)
    types = np.sign(rng.normal(size=(n_cells, 1))) * rng.normal(size=300) * 0.2
    *taken, distances = components(rng.normal(size=(n_cells, 300)) + types)
    assert signal_shares(*taken, distances).any()
    unlike = distances * rng.lognormal(0, 3.0, n_cells)  # in such noise this component would be nothing
    assert bool(signal_shares(*taken, unlike).any()) is not asked
