"""Independent generators for the parts of a simulation, all from one seed."""

from __future__ import annotations

import numpy as np


def generator(random_state: int, part: int) -> np.random.Generator:
    """Return the generator of one part (genes, groups, cells, ...), so that a change in one leaves the others alone."""
    return np.random.default_rng(np.random.SeedSequence(random_state, spawn_key=(0, part)))


def block_generator(random_state: int, block: int) -> np.random.Generator:
    """Return the generator that draws the counts of one block of cells."""
    return np.random.default_rng(np.random.SeedSequence(random_state, spawn_key=(1, block)))
