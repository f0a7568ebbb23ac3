"""Epochs over cells that do not fit into memory: every cell once, well mixed, few reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext.engine import pools as module
from scclr_ext.engine.pools import PooledSource, Pools
from scclr_ext.engine.sampling import Shuffled, WithinBatches

CPU = torch.device("cpu")


class Elsewhere:
    """Rows whose first value is their number; remembers what was read."""

    def __init__(self, n: int) -> None:
        self.shape = (n, 3)
        self.reads: list[np.ndarray] = []

    def read(self, cells):
        assert (np.diff(cells) > 0).all()
        self.reads.append(cells)
        return sparse.csr_matrix(np.stack([cells, cells * 2, cells % 7], axis=1).astype(np.float32))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(n, batch_size, pool_size, *, codes=None, drop_last=False, cells=None):
    rows = Elsewhere(n)
    cells = np.arange(n) if cells is None else cells
    source = PooledSource(rows, cells, CPU)
    within = None if codes is None else WithinBatches(codes, batch_size)
    groups = [torch.arange(len(cells))] if within is None else within.groups
    batches = None if within is None else within.batches
    return rows, source, Pools(source, groups, batch_size, pool_size, batches=batches, drop_last=drop_last)


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(4, 400),
    batch_size=st.integers(2, 40),
    pool_size=st.integers(0, 300),
    run=st.integers(1, 30),
    n_batches=st.integers(1, 4),
    drop_last=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_cell_once(n, batch_size, pool_size, run, n_batches, drop_last, seed) -> None:
    before, module._RUN = module._RUN, run
    try:
        codes = None if n_batches == 1 else np.random.default_rng(seed).integers(0, n_batches, n)
        drop_last = drop_last and codes is None
        _, _, pools = make(n, batch_size, pool_size, codes=codes, drop_last=drop_last)
        parts = list(pools.epoch(generator(seed)))
    finally:
        module._RUN = before
    usual = Shuffled(n, batch_size, drop_last=drop_last) if codes is None else WithinBatches(codes, batch_size)
    assert len(parts) == pools.steps_per_epoch == usual.steps_per_epoch
    assert sorted(map(len, parts)) == sorted(map(len, usual.epoch(generator())))
    shown = torch.cat(parts)
    assert len(shown.unique()) == len(shown)
    if not drop_last:
        assert len(shown) == n
    if codes is not None:
        assert all(len(pools.batches[part].unique()) == 1 for part in parts)


@pytest.mark.parametrize("codes", [None, np.arange(3000) // 1100])
def test_rows_are_the_right_ones_and_read_about_once(codes) -> None:
    rows, source, pools = make(3000, 48, 800, codes=codes)
    for seed in range(2):
        rows.reads.clear()
        for index in pools.epoch(generator(seed)):
            values = source.rows(index)
            assert values[:, 0].tolist() == index.tolist()
            assert values[:, 2].tolist() == (index % 7).tolist()
        read = np.concatenate(rows.reads)
        assert len(read) == len(np.unique(read)) == 3000
        assert max(map(len, rows.reads)) <= 900


def test_neighbouring_rows_are_read_together() -> None:
    rows, source, pools = make(20_000, 128, 8192)
    for index in pools.epoch(generator()):
        source.rows(index)
    runs = sum(1 + int((np.diff(read) > 1).sum()) for read in rows.reads)
    n_portions = 20_000 / 512
    assert runs <= 20_000 / 256 + n_portions + 1  # the end of a portion may cut a run in two


def test_minibatches_are_mixed() -> None:
    _, _, pools = make(20_000, 100, 5000)
    parts = list(pools.epoch(generator()))
    # Of a file whose cells are sorted by type, every minibatch sees much; runs alone would see less than 300 rows.
    assert min(int(part.max() - part.min()) for part in parts) > 5000
    neighbours = [int((part.sort().values.diff() == 1).sum()) for part in parts]
    assert np.mean(neighbours) < 0.1 * 100
    again = list(pools.epoch(generator(1)))
    assert not torch.equal(parts[0].sort().values, again[0].sort().values)
    assert all(torch.equal(a, b) for a, b in zip(parts, pools.epoch(generator()), strict=True))


def test_cells_that_were_not_planned_are_fetched() -> None:
    rows, source, pools = make(3000, 16, 500)
    parts = list(pools.epoch(generator()))
    wanted = torch.tensor([2999, 0, 1500, 0])
    assert source.rows(wanted)[:, 0].tolist() == wanted.tolist()
    assert len(rows.reads) == 1
    # ... and the pools go on as if nothing had been; also from the middle, as after a checkpoint.
    for index in parts[len(parts) // 2 :]:
        assert source.rows(index)[:, 0].tolist() == index.tolist()


def test_some_of_the_cells() -> None:
    cells = np.arange(0, 3000, 3)
    _, source, pools = make(3000, 16, 300, cells=cells)
    assert source.shape == (1000, 3)
    for index in pools.epoch(generator()):
        assert source.rows(index)[:, 0].tolist() == cells[index].tolist()
    assert source.rows(torch.tensor([999, 1]))[:, 0].tolist() == [2997, 3]
