"""What the Splat model draws once per gene: means, factors of groups, batches and paths. Arrays only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.interpolate import Akima1DInterpolator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BRIDGE_POINTS = 5
_SMALLEST_FACTOR = 1e-6


class GeneMeans(NamedTuple):
    """Mean of each gene before (`base`) and after some genes became expression outliers (`mean`)."""

    base: NDArray[np.float64]
    outlier_factor: NDArray[np.float64]
    mean: NDArray[np.float64]


def gene_means(
    n_genes: int,
    rng: np.random.Generator,
    *,
    shape: float,
    rate: float,
    out_prob: float,
    out_facloc: float,
    out_facscale: float,
) -> GeneMeans:
    """Draw gamma-distributed means; an outlier's mean is the median times a log-normal factor."""
    base = rng.gamma(shape, 1 / rate, n_genes)
    factor = lognormal_factors(n_genes, rng, prob=out_prob, down_prob=0.0, loc=out_facloc, scale=out_facscale)
    return GeneMeans(base, factor, np.where(factor == 1, base, np.median(base) * factor))


def lognormal_factors(
    n: int, rng: np.random.Generator, *, prob: float, down_prob: float, loc: float, scale: float
) -> NDArray[np.float64]:
    """Draw factors: 1 for most, for a share `prob` log-normal ones, below 1 with probability `down_prob`.

    The log of a factor that differs from 1 has the magnitude of a normal number (`loc`, `scale`) and a sign of its
    own: Splat turns a log-normal number below 1 around.
    """
    chosen = rng.random(n) < prob
    down = rng.random(n) < down_prob
    size = np.abs(rng.normal(loc, scale, n))
    return np.where(chosen, np.exp(np.where(down, -size, size)), 1.0)


def path_factors(
    ends: NDArray[np.float64],
    path_from: Sequence[int],
    rng: np.random.Generator,
    *,
    n_steps: int,
    nonlinear_prob: float,
    sigma_fac: float,
) -> NDArray[np.float64]:
    """Lead each gene from the factor at a path's start to that at its end, along a smoothed Brownian bridge.

    Parameters
    ----------
    ends
        Factors at the end of each path, paths by genes.
    path_from
        For each path the one at whose end it starts, or -1 for the origin, where all factors are 1.
    rng
        Draws which genes take a detour, and the detours.
    n_steps
        Points along a path, its start and its end included.
    nonlinear_prob
        Share of the genes that take a detour; the others go straight.
    sigma_fac
        How far detours go.

    Returns
    -------
    Factors, of shape ``(paths, steps, genes)``.
    """
    n_paths, n_genes = ends.shape
    coarse, fine = np.linspace(0, 1, _BRIDGE_POINTS), np.linspace(0, 1, n_steps)
    factors = np.empty((n_paths, n_steps, n_genes))
    for path, source in enumerate(path_from):
        start = np.ones(n_genes) if source < 0 else ends[source]
        detour = np.where(rng.random(n_genes) < nonlinear_prob, sigma_fac, 0.0)
        sigma = rng.random(n_genes) * detour * (start + ends[path]) / 2
        jumps = rng.normal(size=(_BRIDGE_POINTS - 1, n_genes)) * sigma / np.sqrt(_BRIDGE_POINTS - 1)
        walk = np.concatenate([np.zeros((1, n_genes)), np.cumsum(jumps, axis=0)])
        bridge = start + walk - coarse[:, None] * (walk[-1] - ends[path] + start)
        bridge = Akima1DInterpolator(coarse, bridge)(fine)
        factors[path] = np.where(bridge < 0, _SMALLEST_FACTOR, bridge)
    return factors


def path_step_probabilities(n_steps: int, skew: float) -> NDArray[np.float64]:
    """How likely each step of a path is: all the same at a skew of 0.5, more early ones above."""
    weights = np.linspace(skew, 1 - skew, n_steps)
    return weights / weights.sum()


def bcv_factors(n_genes: int, df: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw by how much the squared coefficient of variation of each gene differs: ``df / chi2(df)``."""
    if np.isinf(df):
        return np.ones(n_genes, dtype=np.float32)
    return (df / rng.chisquare(df, n_genes)).astype(np.float32)
