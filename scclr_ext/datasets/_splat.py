"""The Splat model's last step: from the expected counts of some cells to their counts. Arrays only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIRECT = 8.0
"""Above this expected count a gamma and a Poisson number are drawn; below, only what is not zero costs anything."""


class Counts(NamedTuple):
    """The non-zero counts of a block of cells, row by row."""

    values: NDArray[np.float32]
    columns: NDArray[np.int32]
    row_sizes: NDArray[np.int64]
    n_dropped: int


class Dropout(NamedTuple):
    """The logistic curve of each cell: half of the counts are lost where the log of a gene's mean is `mid`."""

    mid: NDArray[np.float32]
    shape: NDArray[np.float32]


def draw_counts(
    means: NDArray[np.float32],
    bcv_common: float,
    bcv_factor: NDArray[np.float32],
    rng: np.random.Generator,
    dropout: Dropout | None = None,
) -> Counts:
    """Draw counts around their expectation, with the biological coefficient of variation that Splat gives them.

    Splat draws a mean from a gamma distribution with coefficient of variation ``b = (common + 1 / sqrt(m)) * sqrt(f)``
    and a count from a Poisson distribution with that mean. Together that is a negative binomial distribution of size
    ``r = 1 / b**2`` and scale ``s = m * b**2``.

    Most counts are zero, so zeros must be cheap. A negative binomial number is the sum of a Poisson number, with
    expectation ``a = r * log(1 + s)``, of logarithmic numbers: it is zero exactly if the first event of a unit-rate
    Poisson process comes after `a`. One exponential number per entry settles that, and the rest is drawn for the
    others only. The distribution is the same, not an approximation.

    Parameters
    ----------
    means
        Expected counts, cells by genes.
    bcv_common
        Splat's common dispersion.
    bcv_factor
        ``f`` of each gene: ``df / chi2`` with a chi-squared number of `df` degrees of freedom, or 1.
    rng
        Draws everything, always in the same order.
    dropout
        Curves by which counts are lost; None loses none.
    """
    scale = np.sqrt(means)
    scale *= np.float32(bcv_common)
    scale += np.float32(1)
    np.square(scale, out=scale)
    scale *= bcv_factor
    rate = scale + np.float32(1)
    np.log(rate, out=rate)
    rate *= means
    rate /= scale

    first = rng.standard_exponential(means.shape, dtype=np.float32)
    at = np.flatnonzero(first < rate)
    mean, scale, more = means.ravel()[at], scale.ravel()[at], (rate.ravel()[at] - first.ravel()[at])
    values = np.empty(len(at), dtype=np.float32)
    few = mean <= _DIRECT
    values[few] = _compound(more[few], scale[few], rng)
    values[~few] = _not_zero(mean[~few], scale[~few], rng)

    n_dropped = 0
    if dropout is not None:
        kept = _kept(values, mean, scale, at // means.shape[1], dropout, rng)
        n_dropped = len(at) - int(kept.sum())
        at, values = at[kept], values[kept]
    rows, columns = np.divmod(at, means.shape[1])
    return Counts(values, columns.astype(np.int32), np.bincount(rows, minlength=len(means)), n_dropped)


def _compound(more: NDArray[np.float32], scale: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Sum one logarithmic number and a Poisson number, with expectation `more`, of further ones."""
    owner = np.arange(len(more))
    extra = rng.poisson(more)
    owner = np.concatenate([owner, np.repeat(owner, extra)])
    # A logarithmic number is a geometric one whose parameter was drawn first (Kemp 1981).
    fail = np.exp(-np.log1p(scale[owner]) * rng.random(len(owner), dtype=np.float32))
    with np.errstate(divide="ignore"):  # fail = 1: the number is 1
        wait = -np.log1p(-fail)
    steps = rng.standard_exponential(len(owner), dtype=np.float32)
    numbers = 1 + np.floor(np.divide(steps, wait, out=np.zeros_like(steps), where=wait > 0))
    return np.bincount(owner, weights=numbers, minlength=len(more)).astype(np.float32)


def _not_zero(means: NDArray[np.float32], scale: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw negative binomial numbers, each again until it is not zero."""
    values = np.zeros(len(means), dtype=np.float32)
    while len(again := np.flatnonzero(values == 0)):
        s = scale[again]
        values[again] = rng.poisson(rng.standard_gamma(means[again] / s, dtype=np.float32) * s)
    return values


def _kept(
    counts: NDArray[np.float32],
    means: NDArray[np.float32],
    scale: NDArray[np.float32],
    rows: NDArray[np.int64],
    dropout: Dropout,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Decide which counts survive dropout, which depends on the gamma-distributed mean behind each count.

    Given the count, that mean is again gamma-distributed, so it need be drawn for these entries only.
    """
    hidden = rng.standard_gamma(means / scale + counts) * (scale / (1 + scale))
    with np.errstate(divide="ignore"):  # a mean that rounds to zero
        lost = expit(dropout.shape[rows] * (np.log(hidden) - dropout.mid[rows]))
    return rng.random(len(counts)) >= lost
