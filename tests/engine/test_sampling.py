"""Which cells share a minibatch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from scclr_ext.engine.sampling import Shuffled, WithinBatches, join_small


def epoch(sampler, seed: int = 0) -> list[list[int]]:
    return [part.tolist() for part in sampler.epoch(Generator().manual_seed(seed))]


def flat(parts: list[list[int]]) -> list[int]:
    return [cell for part in parts for cell in part]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 60), size=st.integers(2, 40), seed=st.integers(0, 99))
def test_every_cell_once_per_epoch(n, size, seed) -> None:
    sampler = Shuffled(n, size)
    parts = epoch(sampler, seed)
    assert sorted(flat(parts)) == list(range(n))
    assert len(parts) == sampler.steps_per_epoch
    assert all(len(part) == min(size, n) for part in parts[:-1])
    if n > 1:
        assert all(2 <= len(part) <= size + 1 for part in parts)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 60), size=st.integers(2, 40), seed=st.integers(0, 99))
def test_drop_last_leaves_only_full_minibatches(n, size, seed) -> None:
    sampler = Shuffled(n, size, drop_last=True)
    parts = epoch(sampler, seed)
    size = min(size, n)
    assert [len(part) for part in parts] == [size] * (n // size)
    assert len(set(flat(parts))) == len(flat(parts))
    assert len(parts) == sampler.steps_per_epoch


@pytest.mark.parametrize(
    ("n", "size", "lengths"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (5, 4, [5]), (8, 4, [4, 4]), (4, 4, [4]), (3, 4, [3]), (2, 512, [2])],
)
def test_lengths(n, size, lengths) -> None:
    assert [len(part) for part in epoch(Shuffled(n, size))] == lengths


def test_dropped_cells_are_other_ones_every_epoch() -> None:
    sampler = Shuffled(10, 4, drop_last=True)
    generator = Generator().manual_seed(0)
    dropped = [frozenset(range(10)) - set(torch.cat(list(sampler.epoch(generator))).tolist()) for _ in range(20)]
    assert len(set(dropped)) > 5
    assert len(frozenset.union(*dropped)) == 10


def test_the_order_is_random_and_repeats_under_its_seed() -> None:
    sampler = Shuffled(50, 10)
    assert epoch(sampler, 1) == epoch(sampler, 1)
    assert epoch(sampler, 1) != epoch(sampler, 2)
    generator = Generator().manual_seed(0)
    first, second = (torch.cat(list(sampler.epoch(generator))).tolist() for _ in range(2))
    assert first != second
    # Every pair of cells meets sooner or later, about as often as any other: 9 / 49 of 400 epochs.
    together = Counter(
        pair for _ in range(400) for part in sampler.epoch(generator) for pair in [(0 in part, 1 in part)]
    )
    assert together[True, True] == pytest.approx(400 * 9 / 49, abs=4.5 * np.sqrt(400 * 9 / 49 * 40 / 49))


@settings(max_examples=60, deadline=None)
@given(
    codes=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    size=st.integers(2, 20),
    seed=st.integers(0, 99),
    drop_last=st.booleans(),
)
def test_batches_never_mix(codes, size, seed, drop_last) -> None:
    joined = join_small(np.array(codes), size)
    sampler = WithinBatches(joined, size, drop_last=drop_last)
    parts = epoch(sampler, seed)
    shown = flat(parts)
    assert len(parts) == sampler.steps_per_epoch
    assert len(set(shown)) == len(shown)
    if drop_last:
        assert all(len(part) == min(size, Counter(joined)[joined[part[0]]]) for part in parts)
    else:
        assert sorted(shown) == list(range(len(codes)))
    for part in parts:
        assert 2 <= len(part) <= size + 1
        assert len(set(joined[part])) == 1


def test_very_small_batches_join_the_largest() -> None:
    codes = np.repeat([0, 1, 2, 3, 4], [7, 1, 100, 8, 31])
    joined = join_small(codes, 64)
    assert joined.tolist() == np.repeat([2, 2, 2, 3, 4], [7, 1, 100, 8, 31]).tolist(), "64 / 8 is enough"
    assert join_small(codes, 1000).tolist() == np.repeat([2, 2, 2, 2, 4], [7, 1, 100, 8, 31]).tolist(), "100 / 8 is not"
    assert join_small(codes, 2).tolist() == np.repeat([0, 2, 2, 3, 4], [7, 1, 100, 8, 31]).tolist(), "one cell never is"
    assert codes.tolist() == np.repeat([0, 1, 2, 3, 4], [7, 1, 100, 8, 31]).tolist(), "the caller's codes stay"


def test_only_batches_of_one_cell() -> None:
    assert len(set(join_small(np.arange(5), 10))) == 1


def test_codes_need_not_be_consecutive() -> None:
    parts = epoch(WithinBatches(np.array([7, 7, 2, 2, 7], dtype=np.int8), 10))
    assert sorted(map(sorted, parts)) == [[0, 1, 4], [2, 3]]


def test_the_batches_come_in_random_order() -> None:
    sampler = WithinBatches(np.repeat([0, 1, 2], 20), 5)
    parts = epoch(sampler)
    order = [part[0] // 20 for part in parts]
    assert sorted(order) == [0] * 4 + [1] * 4 + [2] * 4
    assert order != sorted(order)
    assert parts == epoch(sampler)
    assert parts != epoch(sampler, 1)
    assert not set(map(frozenset, parts)) & set(map(frozenset, epoch(sampler, 1))), "cells are shuffled within a batch"


def test_the_batches_a_sampler_tells() -> None:
    assert Shuffled(5, 2).batches is None
    told = WithinBatches(np.array([0, 0, 3, 1, 3, 1]), 10).batches
    assert told.tolist() == [0, 0, 3, 1, 3, 1]
