"""Whether and how the compiled loop draws a view: it takes the usual steps, in CLEAR's order, on the CPU."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

    from scclr_ext.engine.augment import Augmentation

_N_STEPS = 5
_CELLS_PER_THREAD = 64
"""Fewer are not worth the hand-over to another thread."""


def draw_compiled(steps: Sequence[Augmentation], x: Tensor, donors: Tensor, generator: Generator) -> Tensor | None:
    """Draw one view of every cell, or return None where only tensor operations can.

    Parameters
    ----------
    steps
        The augmentations, first to last.
    x, donors
        The minibatch, and the cells to borrow from, each of shape ``(cells, genes)``.
    generator
        Gives each cell the seed of its own random stream.
    """
    places = [step.place for step in steps if step.place is not None]
    usual = len(places) == len(steps) and places == sorted(set(places))
    if not usual or x.device.type != "cpu" or not x.dtype == donors.dtype == torch.float32 or x.requires_grad:
        return None
    from scclr_ext.engine import _kernel as kernel  # at its first use: numba takes half a second

    seeds = torch.empty(len(x), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    chances, rates = np.zeros(_N_STEPS), np.zeros(_N_STEPS)
    rescale = 1.0
    noise = np.zeros(1, np.float32)
    left = right = torch.arange(0)
    for step, place in zip(steps, places, strict=True):
        if step.borrows and len(donors) < 2:
            continue
        chances[place], rates[place] = step.probability, step.rate
        if step.rescale and step.rate < 1:
            rescale = 1 / (1 - step.rate)
        if step.sd is not None:
            noise = _noise(kernel.NOISE_VALUES, step.sd)
        if step.pairs:
            left, right = gene_pairs(x.shape[1], generator)

    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    given = (
        *(t.contiguous().numpy() for t in (x, donors, out)),
        seeds.numpy().view(np.uint64),
        *(np.clip(np.rint(c * kernel.LANE_VALUES), 0, kernel.LANE_VALUES).astype(np.uint64) for c in (chances, rates)),
        np.float32(rescale),
        noise,
        left.numpy(),
        right.numpy(),
    )
    n_parts = max(1, min(torch.get_num_threads(), len(x) // _CELLS_PER_THREAD))
    bounds = np.linspace(0, len(x), n_parts + 1).astype(int).tolist()
    if n_parts == 1:
        kernel.draw(*given, *bounds)
    else:
        pool = _pool(os.getpid(), n_parts)
        waiting = [pool.submit(kernel.draw, *given, *part) for part in pairwise(bounds)]
        for part in waiting:
            part.result()
    return out


def gene_pairs(n_genes: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Pair the genes at random; of an odd number one stays alone."""
    order = torch.randperm(n_genes, generator=generator, device=generator.device)
    return order[: n_genes // 2], order[n_genes // 2 : n_genes // 2 * 2]


@cache
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """Keep the threads; `process` is there because a forked process inherits this cache, but not its threads."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="scclr_ext-views")


@cache
def _noise(n: int, sd: float) -> np.ndarray:
    """`n` equally likely values of a normal distribution: the middles of its quantiles, with `sd` exactly."""
    values = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)
    return (values * (sd / values.std(correction=0))).float().numpy()
