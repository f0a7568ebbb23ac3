"""Views on the CPU in one pass over the minibatch: a compiled loop that does what the augmentations' tensors would.

A chain of tensor operations writes the minibatch to memory a dozen times for one view; this loop keeps one cell in
the processor's cache, decides first which steps the cell undergoes, and draws random numbers for those only.
The statistics are those of :mod:`scclr_ext.engine.augment`, the random numbers are not.

Each cell has a random stream of its own (SplitMix64, Steele et al. 2014), so the result does not depend on the number
of threads. One 64-bit word serves up to three decisions of 16 bits: a rate is met to within 1e-5, and the noise is one
of 131072 equally likely values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float32]
    Words = NDArray[np.uint64]
    Places = NDArray[np.int64]

LANE_VALUES = 1 << 16
"""A decision with chance c is positive for the first ``c * LANE_VALUES`` values of its 16 bits."""
NOISE_VALUES = 1 << 17

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LANE, _NOISE = np.uint64(LANE_VALUES - 1), np.uint64(NOISE_VALUES - 1)
_1, _16, _27, _30, _31, _32, _48 = (np.uint64(n) for n in (1, 16, 27, 30, 31, 32, 48))


@njit
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@njit
def _fill(words: Words, n: int, key: np.uint64) -> None:
    for i in range(n):
        words[i] = _mix(key + np.uint64(i) * _STEP)


@njit
def _below(word: np.uint64, n: np.uint64) -> np.uint64:
    return ((word >> _32) * n) >> _32


@njit
def _other(cell: int, step: np.uint64, last: np.uint64) -> np.uint64:
    other = np.uint64(cell) + _1 + step
    return other - last - _1 if other > last else other


def _draw(
    x: Values,
    donors: Values,
    out: Values,
    seeds: Words,
    chances: Words,
    rates: Words,
    rescale: np.float32,
    noise: Values,
    left: Places,
    right: Places,
    start: int,
    stop: int,
) -> None:
    """Draw the views of the cells from `start` to `stop` into `out`.

    Parameters
    ----------
    x, donors, out
        The minibatch, the cells to borrow from, and the place for the views, each of shape ``(cells, genes)``.
    seeds
        One per cell.
    chances, rates
        Of each of the five steps: how many of `LANE_VALUES` values mean that a cell undergoes it, and that a gene of
        such a cell is hit.
    rescale
        Factor for the genes that a mask spares.
    noise
        The `NOISE_VALUES` values that noise takes.
    left, right
        Pairs of genes to swap.
    start, stop
        First cell, and the one after the last.
    """
    n_genes = x.shape[1]
    words = np.empty(n_genes, np.uint64)
    hits = np.empty(n_genes, np.uint32)
    last = np.uint64(donors.shape[0] - 1)
    zero = np.float32(0)
    for i in range(start, stop):
        first = _mix(seeds[i] + _STEP)
        second = _mix(seeds[i] + _STEP + _STEP)
        masked = (first & _LANE) < chances[0]
        noisy = ((first >> _16) & _LANE) < chances[1]
        swapped = ((first >> _32) & _LANE) < chances[2]
        crossed = (first >> _48) < chances[3]
        crossed_many = (second & _LANE) < chances[4]
        old, new = x[i], out[i]

        if masked or noisy:
            _fill(words, n_genes, first)
        if masked:
            for g in range(n_genes):
                new[g] = old[g] * rescale if (words[g] & _LANE) >= rates[0] else zero
        else:
            for g in range(n_genes):
                new[g] = old[g]
        if noisy:
            for g in range(n_genes):
                value = noise[(words[g] >> _16) & _NOISE]
                new[g] += value if (words[g] >> _48) < rates[1] else zero

        if swapped or crossed or crossed_many:
            _fill(words, n_genes, second)
        if swapped:
            n_hits = 0
            for p in range(left.size):  # without a branch, which the processor would guess wrong
                hits[n_hits] = p
                n_hits += int((words[p] & _LANE) < rates[2])
            for j in range(n_hits):
                one, two = left[hits[j]], right[hits[j]]
                new[one], new[two] = new[two], new[one]
        if crossed:
            donor = donors[_other(i, _below(second, last), last)]
            for g in range(n_genes):
                theirs, ours = donor[g], new[g]
                new[g] = theirs if ((words[g] >> _16) & _LANE) < rates[3] else ours
        if crossed_many:
            n_hits = 0
            for g in range(n_genes):
                hits[n_hits] = g
                n_hits += int(((words[g] >> _32) & _LANE) < rates[4])
            _fill(words, n_hits, first ^ second)
            for j in range(n_hits):
                words[j] = _below(words[j], last)
            for j in range(n_hits):
                new[hits[j]] = donors[_other(i, words[j], last), hits[j]]


try:
    draw = njit(nogil=True, cache=True)(_draw)
except RuntimeError:  # nowhere to keep the compiled code: every session compiles it anew
    draw = njit(nogil=True)(_draw)
