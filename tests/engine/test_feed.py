"""Minibatches read ahead are those that would have been read at once, also from a checkpoint on."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext.engine.device import make_fabric
from scclr_ext.engine.feed import Feed
from scclr_ext.engine.neighbors import Neighbors
from scclr_ext.engine.sampling import Shuffled
from scclr_ext.engine.source import FetchedSource, InMemory, as_source

CPU = torch.device("cpu")
N = 11
MATRIX = np.arange(N * 3, dtype=np.float32).reshape(N, 3)
NEIGHBORS = Neighbors.from_matrix(sparse.csr_matrix(np.random.default_rng(0).random((N, N)) < 0.4))


class Spy(InMemory):
    """Knows what was read from where, and takes its time."""

    def __init__(self, matrix, *, fails_at=None) -> None:
        super().__init__(matrix)
        self.threads: list[threading.Thread] = []
        self.fails_at = fails_at

    def read(self, cells):
        self.threads.append(threading.current_thread())
        time.sleep(0.002)
        if len(self.threads) == self.fails_at:
            raise OSError("disk")
        return super().read(cells)


def feed(source, *, neighbors=NEIGHBORS, seed=0) -> tuple[Feed, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    fabric = make_fabric(CPU)
    return Feed(source, Shuffled(N, 4), generator, fabric, neighbors=neighbors, neighbor_probability=0.7), generator


def taken(feed_: Feed, n: int) -> list[list]:
    """What `n` minibatches are, as lists."""
    with feed_:
        minibatches = [feed_.take(more=i < n - 1) for i in range(n)]
    return [
        [None if part is None else part.tolist() for part in (one.index, one.cells, one.partners)]
        for one in minibatches
    ]


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 99), neighbors=st.sampled_from([None, NEIGHBORS]))
def test_reading_ahead_changes_nothing(n, seed, neighbors) -> None:
    plain, drawn = feed(as_source(MATRIX, CPU), neighbors=neighbors, seed=seed)
    ahead, drawn_ahead = feed(FetchedSource(InMemory(MATRIX), CPU), neighbors=neighbors, seed=seed)
    expected = taken(plain, n)
    assert taken(ahead, n) == expected
    assert torch.equal(drawn.get_state(), drawn_ahead.get_state())
    for index, cells, partners in expected:
        assert cells == MATRIX[index].tolist()
        assert (partners is None) == (neighbors is None)


def test_the_next_one_is_read_on_another_thread() -> None:
    spy = Spy(MATRIX)
    feed_, _ = feed(FetchedSource(spy, CPU))
    with feed_:
        for i in range(1, 6):
            feed_.take(more=i < 5)
            time.sleep(0.02)
            assert len(spy.threads) == min(i + 1, 5)  # the next one, not the one after it, and none in the end
    assert spy.threads[0] is threading.main_thread()  # nothing to do meanwhile
    assert threading.main_thread() not in spy.threads[1:]


def test_what_the_device_holds_is_not_handed_between_threads(monkeypatch) -> None:
    source = as_source(sparse.csr_matrix(MATRIX), CPU)
    threads = set()
    rows = source.rows
    monkeypatch.setattr(source, "rows", lambda index: threads.add(threading.current_thread()) or rows(index))
    taken(feed(source)[0], 5)
    assert threads == {threading.main_thread()}


@settings(max_examples=25, deadline=None)
@given(before=st.integers(0, 8), ahead=st.booleans())
def test_a_checkpoint_keeps_what_was_only_read_ahead(before, ahead) -> None:
    source = FetchedSource(InMemory(MATRIX), CPU) if ahead else as_source(MATRIX, CPU)
    expected = taken(feed(source)[0], before + 6)
    first, _ = feed(source)
    with first:
        for _ in range(before):
            first.take(more=True)
        state = first.state_dict()
    second, _ = feed(source, seed=5)
    second.load_state_dict(state)
    assert taken(second, 6) == expected[before:]


def test_an_error_of_reading_comes_with_the_minibatch_it_is_of() -> None:
    feed_, _ = feed(FetchedSource(Spy(MATRIX, fails_at=3), CPU))
    with feed_:
        feed_.take(more=True)
        feed_.take(more=True)
        with pytest.raises(OSError, match="disk"):
            feed_.take(more=True)


def test_no_thread_is_left_behind() -> None:
    before = set(threading.enumerate())
    feed_, _ = feed(FetchedSource(Spy(MATRIX), CPU))
    with pytest.raises(KeyboardInterrupt), feed_:
        feed_.take(more=True)
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= before
