"""The ring of keys: first in, first out, for any sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from scclr_ext.engine.queue import NO_BATCH, KeyQueue


def new(size: int, dim: int = 3, seed: int = 0) -> KeyQueue:
    return KeyQueue(size, dim, Generator().manual_seed(seed))


def numbered(start: int, n: int, dim: int = 3) -> torch.Tensor:
    """Keys that tell when they came: n of them, from `start` on."""
    return torch.arange(start, start + n, dtype=torch.float32)[:, None].expand(n, dim)


def test_it_starts_with_random_unit_vectors() -> None:
    queue = new(500, 8)
    assert queue.keys.shape == (500, 8)
    assert queue.keys.norm(dim=1).numpy() == pytest.approx(1)
    # ... that point everywhere: the mean of 500 has a length of about 1 / sqrt(500).
    assert queue.keys.mean(0).norm() < 0.1
    assert torch.equal(queue.keys, new(500, 8).keys)
    assert not torch.equal(queue.keys, new(500, 8, seed=1).keys)


def test_content_step_by_step() -> None:
    queue = new(5, 1)
    start = queue.keys.squeeze(1).tolist()
    queue.enqueue(numbered(1, 2, 1))
    assert queue.keys.squeeze(1).tolist() == [1, 2, *start[2:]]
    queue.enqueue(numbered(3, 2, 1))
    assert queue.keys.squeeze(1).tolist() == [1, 2, 3, 4, start[4]]
    queue.enqueue(numbered(5, 2, 1))  # wraps around, over the oldest
    assert queue.keys.squeeze(1).tolist() == [6, 2, 3, 4, 5]
    assert int(queue.position) == 1
    queue.enqueue(numbered(7, 7, 1))  # more than there is room for: 9 to 13 stay
    assert sorted(queue.keys.squeeze(1).tolist()) == [9, 10, 11, 12, 13]
    queue.enqueue(numbered(14, 1, 1))  # the oldest of them goes
    assert sorted(queue.keys.squeeze(1).tolist()) == [10, 11, 12, 13, 14]


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 12), batches=st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_it_holds_the_last_keys_in_their_order(size, batches) -> None:
    queue = new(size)
    everything = queue.keys.clone()
    for n in batches:
        arriving = numbered(len(everything) - size + 100, n)
        everything = torch.cat([everything, arriving])
        queue.enqueue(arriving)
        oldest_first = queue.keys.roll(-int(queue.position), 0)
        assert torch.equal(oldest_first, everything[-size:])
    assert int(queue.position) == sum(batches) % size


def test_the_old_tensor_stays_for_the_gradient() -> None:
    queue = new(4)
    old = queue.keys
    query = torch.ones(2, 3, requires_grad=True)
    loss = (query @ old.T).exp().sum()
    before = old.clone()
    queue.enqueue(torch.zeros(4, 3))
    assert torch.equal(old, before)
    loss.backward()  # raises where a tensor of the graph was changed in place
    expected = (before.T.numpy() * np.exp(before.sum(1).numpy())).sum(1)
    assert query.grad[0].numpy() == pytest.approx(expected, rel=1e-5)


def test_keys_carry_no_gradient_and_are_not_shared() -> None:
    queue = new(4)
    arriving = torch.ones(2, 3, requires_grad=True)
    queue.enqueue(arriving * 2)
    assert not queue.keys.requires_grad
    source = torch.ones(2, 3)
    queue.enqueue(source)
    source.zero_()
    assert (queue.keys[2:] == 1).all()


def test_it_is_saved_with_the_model_and_is_nothing_to_learn() -> None:
    queue, other = new(4), new(4, seed=1)
    queue.enqueue(numbered(1, 3))
    assert list(queue.parameters()) == []
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.keys, queue.keys)
    assert int(other.position) == 3


def test_it_keeps_its_precision() -> None:
    queue = new(4)
    queue.enqueue(torch.ones(2, 3, dtype=torch.bfloat16))
    assert queue.keys.dtype == torch.float32


def test_keys_of_other_batches_are_foreign() -> None:
    queue = new(4)
    assert not queue.foreign(torch.tensor([0, 7])).any(), "the random keys of the start are of no batch"
    queue.enqueue(numbered(1, 3), torch.tensor([0, 7, 7]))
    assert queue.foreign(torch.tensor([0, 7])).tolist() == [[False, True, True, False], [True, False, False, False]]
    assert not queue.foreign(torch.tensor([NO_BATCH])).any(), "a cell of no batch is told from all"
    queue.enqueue(numbered(4, 6), torch.tensor([1, 2, 3, 4, 5, 6]))  # more than there is room for
    held = {int(key[0]): int(batch) for key, batch in zip(queue.keys, queue.batches, strict=True)}
    assert held == {6: 3, 7: 4, 8: 5, 9: 6}, "each batch stays with its key"
