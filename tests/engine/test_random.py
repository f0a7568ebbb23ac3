"""One seed, spawned generators, four coins to a random word."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from scclr_ext.engine._random import Seeds, coin

CPU = torch.device("cpu")


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("probability", [1e-3, 0.1, 0.2, 0.25, 0.5, 0.8, 0.9, 0.999])
def test_the_frequency_of_a_coin(probability) -> None:
    n = 400_000
    # One word holds four draws: each of the four must be fair, not only their mean.
    lanes = coin((n,), probability, generator(1)).view(-1, 4).sum(0)
    bound = 4.5 * np.sqrt(n / 4 * probability * (1 - probability))
    assert np.abs(lanes.numpy() - n / 4 * probability).max() < bound


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_draws_of_one_word_are_independent(probability) -> None:
    n = 100_000
    draws = coin((n, 4), probability, generator(2)).numpy().astype(float)
    off_diagonal = np.corrcoef(draws.T)[np.triu_indices(4, 1)]
    assert np.abs(off_diagonal).max() < 4.5 / np.sqrt(n)
    # ... and so are neighbouring words.
    flat = draws.ravel()
    for lag in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) < 4.5 / np.sqrt(4 * n)


def test_the_draws_are_all_or_nothing_at_the_edges() -> None:
    g = generator()
    before = g.get_state()
    for probability, expected in ((0.0, False), (-1.0, False), (1.0, True), (2.0, True)):
        drawn = coin((3, 5), probability, g)
        assert drawn.dtype == torch.bool
        assert drawn.shape == (3, 5)
        assert (drawn == expected).all()
    assert torch.equal(g.get_state(), before), "a certain outcome costs no random numbers"


def test_probabilities_next_to_the_edges() -> None:
    # Thresholds beyond the 16 bits must not wrap around.
    assert coin((50_000,), 1 - 1e-9, generator()).float().mean() > 0.999
    assert coin((50_000,), 1e-9, generator()).float().mean() < 0.001


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(0, 40), min_size=1, max_size=3).map(tuple),
    probability=st.floats(0, 1),
    seed=st.integers(0, 2**63 - 1),
)
def test_any_shape_repeats_under_its_seed(shape, probability, seed) -> None:
    first, second = (coin(shape, probability, generator(seed)) for _ in range(2))
    assert first.shape == shape
    assert first.dtype == torch.bool
    assert torch.equal(first, second)


def test_different_seeds_give_different_coins() -> None:
    assert not torch.equal(coin((100,), 0.5, generator(0)), coin((100,), 0.5, generator(1)))
    g = generator()
    assert not torch.equal(coin((100,), 0.5, g), coin((100,), 0.5, g))


def test_the_generators_of_a_run_repeat_and_differ() -> None:
    first, again, other = (Seeds.from_random_state(s, CPU) for s in (0, 0, 1))
    names = ("weights", "order", "views")
    assert [getattr(first, n).initial_seed() for n in names] == [getattr(again, n).initial_seed() for n in names]
    drawn = {getattr(seeds, n).initial_seed() for seeds in (first, other) for n in names}
    assert len(drawn) == 6, "the parts of a run, and the runs, draw from different streams"


def test_the_parts_of_a_run_live_apart() -> None:
    first, second = (Seeds.from_random_state(5, CPU) for _ in range(2))
    torch.randn(1000, generator=first.views)  # more views ...
    assert torch.equal(torch.randperm(50, generator=first.order), torch.randperm(50, generator=second.order))


def test_global_generators_are_not_touched() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    coin((100,), 0.3, Seeds.from_random_state(0, CPU).views)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)
