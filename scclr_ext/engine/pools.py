"""Epochs over cells that do not fit into memory: runs of neighbouring rows, many of them mixed at a time."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from scclr_ext.engine.hold import pieces_of, stack
from scclr_ext.engine.sampling import cut
from scclr_ext.engine.source import FetchedSource, as_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from scclr_ext.engine.source import Rows, Source

_RUN = 256
"""Neighbouring rows that stay together on their way into a pool; reading them costs little more than reading one."""
_PORTIONS = 16
"""Parts of a pool, each from one experimental batch where there are any."""


class PooledSource:
    """Rows of a matrix outside memory, of which one pool is held and the next is being read.

    Parameters
    ----------
    matrix
        Hands out rows.
    cells
        Cells in use, ascending, shape ``(cells,)``; rows are counted among these.
    device
        Where minibatches go.
    """

    def __init__(self, matrix: Rows, cells: NDArray[np.int64], device: torch.device) -> None:
        self.shape = (len(cells), matrix.shape[1])
        self.device = device
        self._matrix, self._cells = matrix, cells
        self._anywhere = FetchedSource(matrix, device)
        self._pools: list[NDArray[np.int64]] = []
        self._pool_of = np.full(len(cells), -1, dtype=np.int32)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scclr_ext")
        self._reading: dict[int, Future[Source]] = {}

    def plan(self, pools: list[Tensor]) -> None:
        """Say which rows, ascending, will be wanted together, and in which order; nothing is read yet."""
        for future in self._reading.values():
            future.cancel()
        self._reading = {}
        self._pools = [pool.numpy() for pool in pools]
        self._pool_of[:] = -1
        for i, pool in enumerate(self._pools):
            self._pool_of[pool] = i

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`: from the pool they are all in, or else straight from the matrix."""
        wanted = index.numpy()
        found = np.unique(self._pool_of[wanted])
        if len(found) != 1 or found[0] < 0:
            return self._anywhere.rows(torch.from_numpy(self._cells[wanted]))
        pool = int(found[0])
        for i in [i for i in self._reading if i not in (pool, pool + 1)]:
            self._reading.pop(i).cancel()
        for i in (pool, pool + 1):
            if i < len(self._pools) and i not in self._reading:
                self._reading[i] = self._thread.submit(self._read, i)
        held = self._reading[pool].result()
        return held.rows(torch.from_numpy(np.searchsorted(self._pools[pool], wanted)))

    def _read(self, pool: int) -> Source:
        cells = self._cells[self._pools[pool]]
        parts = [self._matrix.read(piece) for piece in pieces_of(cells, self.shape[1])]
        return as_source(stack(parts), self.device)


class Pools:
    """Every cell once per epoch, in an order that can be read fast.

    The cells of each group, in the order of the file, are cut to runs of 256. The runs in random order are joined to
    portions, the portions of all groups in random order to pools. The cells of a pool are read together, shuffled
    within their group and cut to minibatches, which follow one another in random order.

    Parameters
    ----------
    source
        Is told the pools.
    groups
        Rows that may share a minibatch, ascending; one group without experimental batches.
    batch_size
        Cells per minibatch.
    pool_size
        Cells that may be held at a time, about.
    batches
        Batch of each row, where there are any.
    drop_last
        Leave out the cells of a group's last, smaller minibatch (other ones every epoch).
    """

    def __init__(
        self,
        source: PooledSource,
        groups: list[Tensor],
        batch_size: int,
        pool_size: int,
        *,
        batches: Tensor | None = None,
        drop_last: bool = False,
    ) -> None:
        self.batches = batches
        self._source, self._groups, self._batch_size = source, groups, batch_size
        self.portion = max(pool_size // (_PORTIONS * batch_size), 1) * batch_size
        self._drop_last = drop_last

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches in one epoch."""
        return sum(len(cut(group, self._batch_size, drop_last=self._drop_last)) for group in self._groups)

    def epoch(self, generator: Generator) -> Iterator[Tensor]:
        """Yield the rows of each minibatch of one epoch."""
        portions: list[tuple[int, Tensor]] = []
        for i, group in enumerate(self._groups):
            runs = group.split(_RUN)
            order = torch.cat([runs[k] for k in torch.randperm(len(runs), generator=generator).tolist()])
            if self._drop_last and len(order) > self._batch_size:
                order = order[: len(order) - len(order) % self._batch_size]
            portions += [(i, portion) for portion in cut(order, self.portion)]
        portions = [portions[k] for k in torch.randperm(len(portions), generator=generator).tolist()]
        pools = [portions[start : start + _PORTIONS] for start in range(0, len(portions), _PORTIONS)]
        self._source.plan([torch.cat([portion for _, portion in pool]).sort().values for pool in pools])
        for pool in pools:
            parts: list[Tensor] = []
            for i in sorted({i for i, _ in pool}):
                together = torch.cat([portion for k, portion in pool if k == i])
                parts += cut(together[torch.randperm(len(together), generator=generator)], self._batch_size)
            yield from (parts[k] for k in torch.randperm(len(parts), generator=generator).tolist())
