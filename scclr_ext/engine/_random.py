"""Random numbers: one seed, spawned generators, cheap coin flips on the device."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Generator, Tensor

_BITS = 16


@dataclass(frozen=True)
class Seeds:
    """Independent generators for the parts of a run that draw random numbers.

    They live apart so that, for instance, a change in how views are drawn leaves the order of the cells alone.
    Weights and cell order are drawn on the CPU and are therefore the same on every device.
    """

    weights: Generator
    order: Generator
    views: Generator

    @classmethod
    def from_random_state(cls, random_state: int, device: torch.device, rank: int = 0) -> Seeds:
        """Spawn the generators of one run from one integer; of several processes each draws its own views."""
        devices = (torch.device("cpu"), torch.device("cpu"), device)
        children = np.random.SeedSequence(random_state).spawn(len(devices))
        if rank > 0:
            children[2] = children[2].spawn(rank)[-1]
        seeds = [int(child.generate_state(1, np.uint64)[0] >> np.uint64(1)) for child in children]
        return cls(*(Generator(d).manual_seed(s) for d, s in zip(devices, seeds, strict=True)))


def coin(shape: tuple[int, ...], probability: float, generator: Generator) -> Tensor:
    """Independent Bernoulli draws as a boolean tensor on the generator's device.

    One 64-bit random word serves four draws: 16 bits each, so `probability` is met to within 1e-5.
    """
    device = generator.device
    if probability <= 0 or probability >= 1:
        return torch.full(shape, probability >= 1, dtype=torch.bool, device=device)
    if device.type == "mps":  # its generator does not fill 64-bit integers
        return torch.rand(shape, generator=generator, device=device) < probability
    n = prod(shape)
    words = torch.empty(-(-n * _BITS // 64), dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=generator)  # the full range of the type
    threshold = round(probability * 2**_BITS) - 2 ** (_BITS - 1)
    return (words.view(torch.int16)[:n] < min(threshold, 2 ** (_BITS - 1) - 1)).view(shape)
