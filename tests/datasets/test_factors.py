"""Means and factors of genes against the distributions that the Splat model gives them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scclr_ext.datasets._factors import (
    bcv_factors,
    gene_means,
    lognormal_factors,
    path_factors,
    path_step_probabilities,
)

N = 20_000


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_gene_means_are_gamma_distributed() -> None:
    means = gene_means(N, rng(), shape=0.6, rate=0.3, out_prob=0.0, out_facloc=4.0, out_facscale=0.5)
    assert stats.kstest(means.base, stats.gamma(0.6, scale=1 / 0.3).cdf).pvalue > 0.01
    np.testing.assert_array_equal(means.mean, means.base)


def test_outliers_are_the_median_times_a_lognormal_factor() -> None:
    means = gene_means(N, rng(), shape=0.6, rate=0.3, out_prob=0.05, out_facloc=4.0, out_facscale=0.5)
    outlier = means.outlier_factor != 1
    assert stats.binomtest(int(outlier.sum()), N, 0.05).pvalue > 0.01
    np.testing.assert_allclose(means.mean[outlier] / np.median(means.base), means.outlier_factor[outlier])
    assert stats.kstest(np.log(means.outlier_factor[outlier]), stats.norm(4.0, 0.5).cdf).pvalue > 0.01
    np.testing.assert_array_equal(means.mean[~outlier], means.base[~outlier])


def test_factors_are_lognormal_with_a_direction_of_their_own() -> None:
    factors = lognormal_factors(N, rng(), prob=0.3, down_prob=0.8, loc=0.1, scale=0.4)
    changed = np.log(factors[factors != 1])
    assert stats.binomtest(len(changed), N, 0.3).pvalue > 0.01
    assert stats.binomtest(int((changed < 0).sum()), len(changed), 0.8).pvalue > 0.01
    folded = stats.foldnorm(0.1 / 0.4, scale=0.4)
    assert stats.kstest(np.abs(changed), folded.cdf).pvalue > 0.01


def test_bcv_factors_are_scaled_inverse_chi_squared() -> None:
    factors = bcv_factors(N, 60.0, rng())
    assert stats.kstest(60 / factors, stats.chi2(60).cdf).pvalue > 0.01
    assert (bcv_factors(5, np.inf, rng()) == 1).all()


def test_paths_lead_from_start_to_end() -> None:
    ends = np.exp(rng().normal(size=(3, 500)))
    factors = path_factors(ends, [-1, 0, 0], rng(), n_steps=11, nonlinear_prob=0.5, sigma_fac=0.8)
    assert factors.shape == (3, 11, 500)
    np.testing.assert_allclose(factors[:, -1], ends)
    np.testing.assert_allclose(factors[0, 0], 1.0)
    np.testing.assert_allclose(factors[1, 0], ends[0])
    np.testing.assert_allclose(factors[2, 0], ends[0])
    assert (factors > 0).all()


def test_genes_without_detour_go_straight() -> None:
    ends = np.exp(rng().normal(size=(1, 50)))
    factors = path_factors(ends, [-1], rng(), n_steps=11, nonlinear_prob=0.0, sigma_fac=0.8)
    straight = 1 + np.linspace(0, 1, 11)[:, None] * (ends - 1)
    np.testing.assert_allclose(factors[0], straight, rtol=1e-12)


def test_detours_are_brownian_bridges() -> None:
    factors = path_factors(np.full((1, N), 50.0), [-1], rng(), n_steps=5, nonlinear_prob=1.0, sigma_fac=0.1)[0]
    detour = factors - np.linspace(1, 50, 5)[:, None]
    # sigma is uniform from 0 to 0.1 * 25.5, so its mean square is a third of the square of that
    sigma2 = (0.1 * 25.5) ** 2 / 3
    t = np.linspace(0, 1, 5)[1:-1]
    np.testing.assert_allclose(detour[1:-1].var(axis=1), sigma2 * t * (1 - t), rtol=0.06)
    np.testing.assert_allclose((detour[1] * detour[3]).mean(), sigma2 * 0.25 * 0.25, rtol=0.12)
    np.testing.assert_allclose(detour[1:-1].mean(axis=1), 0, atol=0.03)


@pytest.mark.parametrize(("skew", "first"), [(0.5, 1.0), (1.0, np.inf), (0.75, 3.0)])
def test_skew_crowds_cells_at_the_start(skew: float, first: float) -> None:
    probabilities = path_step_probabilities(100, skew)
    assert probabilities.sum() == pytest.approx(1)
    with np.errstate(divide="ignore"):
        assert probabilities[0] / probabilities[-1] == pytest.approx(first)
