"""The counts of the Splat model against its formulas, worked out with SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from scclr_ext.datasets._splat import Dropout, draw_counts

N = 40_000
COMMON = 0.1


def draw(mean: float, factor: float = 1.2, *, common: float = COMMON, dropout: Dropout | None = None) -> np.ndarray:
    """Counts of one gene in many cells, zeros included."""
    means = np.full((N, 1), mean, dtype=np.float32)
    drawn = draw_counts(means, common, np.array([factor], dtype=np.float32), np.random.default_rng(0), dropout)
    counts = np.zeros(N)
    counts[np.repeat(np.arange(N), drawn.row_sizes)] = drawn.values
    return counts


def bcv(mean: float, factor: float, common: float = COMMON) -> float:
    """Splat's biological coefficient of variation, as the paper writes it."""
    return (common + 1 / np.sqrt(mean)) * np.sqrt(factor)


def compare(counts: np.ndarray, pmf: np.ndarray) -> float:
    """P value of a chi-squared test of the counts against a probability for each of 0, 1, 2, ..."""
    expected = pmf * len(counts)
    few = np.flatnonzero(expected < 20)
    top = few[few > 0][0] if len(few[few > 0]) else len(pmf)
    observed = np.bincount(np.minimum(counts, top).astype(int), minlength=top + 1)
    expected = np.append(expected[:top], len(counts) - expected[:top].sum())
    return stats.chisquare(observed, expected).pvalue


# On both sides of the mean at which the way of drawing changes.
@pytest.mark.parametrize("mean", [0.03, 0.4, 3.0, 7.9, 8.1, 60.0])
@pytest.mark.parametrize(("factor", "common"), [(1.0, 0.1), (1.6, 0.5)])
def test_counts_are_negative_binomial(mean: float, factor: float, common: float) -> None:
    size = 1 / bcv(mean, factor, common) ** 2
    pmf = stats.nbinom.pmf(np.arange(2000), size, size / (size + mean))
    assert compare(draw(mean, factor, common=common), pmf) > 1e-3


@pytest.mark.parametrize("mean", [0.5, 5.0, 30.0])
def test_moments(mean: float) -> None:
    counts = draw(mean)
    variance = mean + (mean * bcv(mean, 1.2)) ** 2  # Poisson noise around a gamma-distributed mean
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / N))
    assert counts.var() == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize("mean", [0.5, 4.0, 20.0])
@pytest.mark.parametrize(("mid", "shape"), [(0.0, -1.0), (1.5, -2.0)])
def test_dropout_follows_the_logistic_curve_of_the_hidden_mean(mean: float, mid: float, shape: float) -> None:
    ones = np.ones(N, dtype=np.float32)
    counts = draw(mean, dropout=Dropout(mid * ones, shape * ones))
    cv = bcv(mean, 1.2)
    hidden = stats.gamma(1 / cv**2, scale=mean * cv**2)

    def observed(count: int) -> float:
        def joint(x: float) -> float:  # over the log of the hidden mean
            lost = 1 / (1 + np.exp(-shape * (x - mid)))
            return hidden.pdf(np.exp(x)) * np.exp(x) * stats.poisson.pmf(count, np.exp(x)) * (1 - lost)

        return integrate.quad(joint, -25, 8, limit=300, points=[0.0, np.log(mean)])[0]

    pmf = np.array([observed(count) for count in range(1, 25)])
    seen = np.bincount(counts.astype(int), minlength=25)[1:25]
    expected = pmf * N
    enough = expected > 20
    z = (seen[enough] - expected[enough]) / np.sqrt(expected[enough])
    assert np.abs(z).max() < 4.5
    assert np.mean(z**2) < 2.5


def test_dropout_counts_what_it_took() -> None:
    means = np.full((200, 50), 2.0, dtype=np.float32)
    ones = np.ones(200, dtype=np.float32)
    factor = np.ones(50, dtype=np.float32)
    before = draw_counts(means, COMMON, factor, np.random.default_rng(1))
    after = draw_counts(means, COMMON, factor, np.random.default_rng(1), Dropout(0 * ones, -ones))
    assert before.n_dropped == 0
    assert after.n_dropped == len(before.values) - len(after.values) > 0


def test_steep_curves_lose_all_or_nothing() -> None:
    means = np.full((100, 30), 50.0, dtype=np.float32)
    ones = np.ones(100, dtype=np.float32)
    factor = np.ones(30, dtype=np.float32)
    for mid, share in ((-30.0, 1.0), (30.0, 0.0)):
        drawn = draw_counts(means, COMMON, factor, np.random.default_rng(1), Dropout(mid * ones, -1e4 * ones))
        assert len(drawn.values) == pytest.approx(share * means.size, rel=0.01)


def test_rows_and_columns() -> None:
    means = np.zeros((3, 4), dtype=np.float32)
    means[1, 2] = 1e4
    means[2] = 1e4
    drawn = draw_counts(means, COMMON, np.ones(4, dtype=np.float32), np.random.default_rng(0))
    assert drawn.row_sizes.tolist() == [0, 1, 4]
    assert drawn.columns.tolist() == [2, 0, 1, 2, 3]
    assert (drawn.values > 1000).all()
