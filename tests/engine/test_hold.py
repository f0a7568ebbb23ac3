"""Rows in memory: all of them, or none and how many would have fitted."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext.engine import hold as module
from scclr_ext.engine.hold import hold, pieces_of, stack
from scclr_ext.engine.source import InMemory

VALUES = np.random.default_rng(0).poisson(0.5, (50, 7)).astype(np.float32)
KINDS = [np.asarray, sparse.csr_matrix, sparse.csr_array]


class Elsewhere:
    """Rows that are not in memory; remembers what was read."""

    def __init__(self, matrix) -> None:
        self.shape, self._matrix, self.read_cells = matrix.shape, matrix, []

    def read(self, cells):
        self.read_cells.append(cells.tolist())
        return self._matrix[cells]


def dense(matrix) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(module, "block_rows", lambda n_genes: 8)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_memory_is_not_copied(kind) -> None:
    matrix = kind(VALUES)
    held = hold(InMemory(matrix), np.arange(50), 0)
    assert held.matrix is matrix
    some = hold(InMemory(matrix), np.array([1, 5, 6]), 0)
    assert np.array_equal(dense(some.matrix), VALUES[[1, 5, 6]])


@settings(max_examples=50, deadline=None)
@given(cells=st.sets(st.integers(0, 49), min_size=1), kind=st.sampled_from(KINDS), elsewhere=st.booleans())
def test_rows_that_were_asked_for(cells, kind, elsewhere) -> None:
    cells = np.array(sorted(cells))
    matrix = kind(VALUES)
    held = hold(Elsewhere(matrix) if elsewhere else InMemory(matrix), cells, np.inf)
    assert type(held.matrix) is type(matrix)
    assert held.matrix.dtype == np.float32
    assert np.array_equal(dense(held.matrix), VALUES[cells])
    assert held.n_fitting == len(cells)


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_given_up_early(kind) -> None:
    rows = Elsewhere(kind(VALUES))
    first = hold(rows, np.arange(8), np.inf).matrix
    size = sum(
        a.nbytes for a in ([first] if isinstance(first, np.ndarray) else [first.data, first.indices, first.indptr])
    )
    rows.read_cells.clear()
    held = hold(rows, np.arange(50), size)
    assert held.matrix is None
    assert held.n_fitting == 8
    assert len(rows.read_cells) <= 4  # not all seven pieces


def test_pieces_cover_everything_in_order() -> None:
    assert np.concatenate(pieces_of(np.arange(50), 7)).tolist() == list(range(50))
    assert max(map(len, pieces_of(np.arange(50), 7))) == 8


def test_pieces_are_larger_where_there_are_many_groups(monkeypatch) -> None:
    assert max(map(len, pieces_of(np.arange(50), 7, n_groups=3))) == 24
    monkeypatch.setattr(module, "_MOST_ROWS", 20)
    pieces = pieces_of(np.arange(50), 7, n_groups=10**6)
    assert [len(piece) for piece in pieces] == [20, 20, 10]
    assert np.concatenate(pieces).tolist() == list(range(50))


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 50), max_size=5), kind=st.sampled_from(KINDS), mixed=st.booleans())
def test_stacked(cuts, kind, mixed) -> None:
    parts = [kind(rows) for rows in np.split(VALUES, sorted(cuts))]
    if mixed:
        parts[0] = parts[0].astype(np.float64)
    whole = stack(parts)
    assert np.array_equal(dense(whole), VALUES)
    assert isinstance(whole, np.ndarray) or type(whole) is kind
    assert whole.dtype == (np.float64 if mixed else np.float32)


def test_one_block_is_not_copied() -> None:
    block = sparse.csr_matrix(VALUES)
    assert stack([block]) is block


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_let_go_as_they_are_stacked(kind, monkeypatch) -> None:
    parts = [kind(rows) for rows in np.split(VALUES, 5)]
    alive = [weakref.ref(part) for part in parts]
    counts = []

    def looked_at(blocks, size):
        for start, part in taken(blocks, size):
            yield start, part
            del part
            counts.append(sum(ref() is not None for ref in alive))

    taken = module._taken
    monkeypatch.setattr(module, "_taken", looked_at)
    whole = stack(parts)
    assert np.array_equal(dense(whole), VALUES)
    assert parts == []
    assert counts[0] == 5  # the loop still has the first
    assert counts[-1] <= 2
