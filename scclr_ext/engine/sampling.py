"""Which cells share a minibatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Generator, Tensor


_SMALL = 8
"""A batch below this part of a minibatch is too small for minibatches of its own."""


class Sampler(Protocol):
    """Decides the minibatches of an epoch.

    `batches` holds the batch of each cell, where there are any; `portion` is the number of cells that stay together on
    their way from a file, on which the order depends, and zero where all are in memory.
    """

    batches: Tensor | None
    portion: int

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches in one epoch."""

    def epoch(self, generator: Generator) -> Iterator[Tensor]:
        """Yield the cell indices of each minibatch of one epoch, on the CPU."""


class Shuffled:
    """Every cell once per epoch, in random order.

    Parameters
    ----------
    n_cells
        Number of cells.
    batch_size
        Cells per minibatch; a smaller data set is one minibatch.
    drop_last
        Leave out the cells of a last, smaller minibatch (other ones every epoch).
    """

    def __init__(self, n_cells: int, batch_size: int, *, drop_last: bool = False) -> None:
        self.n_cells = n_cells
        self.batch_size = min(batch_size, n_cells)
        self.drop_last = drop_last
        self.batches: Tensor | None = None
        self.portion = 0

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches in one epoch."""
        return len(cut(torch.arange(self.n_cells), self.batch_size, drop_last=self.drop_last))

    def epoch(self, generator: Generator) -> Iterator[Tensor]:
        """Yield the cell indices of each minibatch of one epoch."""
        order = torch.randperm(self.n_cells, generator=generator)
        yield from cut(order, self.batch_size, drop_last=self.drop_last)


class WithinBatches:
    """Every minibatch from one experimental batch, so that the batch never tells its cells apart.

    Parameters
    ----------
    codes
        Batch of each cell, shape ``(cells,)``, integers, none of a single cell: see :func:`join_small`.
    batch_size
        Cells per minibatch; a smaller batch is one minibatch.
    drop_last
        Leave out the cells of a batch's last, smaller minibatch (other ones every epoch).
    """

    def __init__(self, codes: np.ndarray, batch_size: int, *, drop_last: bool = False) -> None:
        codes_ = torch.as_tensor(codes, dtype=torch.long).clone()
        self.batches: Tensor | None = codes_
        self.groups = [(codes_ == code).nonzero().squeeze(1) for code in codes_.unique()]
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.portion = 0

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches in one epoch."""
        return sum(len(cut(group, self.batch_size, drop_last=self.drop_last)) for group in self.groups)

    def epoch(self, generator: Generator) -> Iterator[Tensor]:
        """Yield the cell indices of each minibatch of one epoch, the batches in random order."""
        parts: list[Tensor] = []
        for group in self.groups:
            order = group[torch.randperm(len(group), generator=generator)]
            parts += cut(order, self.batch_size, drop_last=self.drop_last)
        for i in torch.randperm(len(parts), generator=generator).tolist():
            yield parts[i]


def join_small(codes: NDArray[np.int64], batch_size: int) -> NDArray[np.int64]:
    """Return the codes with the cells of very small batches counted to the largest one.

    A few cells have few others to be told from, and yet a minibatch of theirs would weigh as much as any. Too small is
    below an eighth of a minibatch (or of the largest batch, where that is smaller), and a single cell always.
    """
    names, places, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    fewest = max(2, min(batch_size, int(sizes.max())) // _SMALL)
    return np.where(sizes < fewest, names[sizes.argmax()], names)[places]


class Minibatches:
    """One epoch after the other without an end, which can be left anywhere and taken up there.

    Parameters
    ----------
    sampler
        Decides the epochs.
    generator
        Draws their order.
    """

    def __init__(self, sampler: Sampler, generator: Generator) -> None:
        self._sampler, self._generator = sampler, generator
        self._begin()

    def _begin(self) -> None:
        self._start = self._generator.get_state()
        self._parts = list(self._sampler.epoch(self._generator))
        self._place = 0

    def __next__(self) -> Tensor:
        if self._place == len(self._parts):
            self._begin()
        self._place += 1
        return self._parts[self._place - 1]

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep: the generator at the start of the epoch, and now."""
        return {"start": self._start, "place": self._place, "now": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up from a checkpoint."""
        self._generator.set_state(state["start"])
        self._begin()
        self._place = state["place"]
        self._generator.set_state(state["now"])


def cut(order: Tensor, size: int, *, drop_last: bool = False) -> list[Tensor]:
    """Cut `order` into minibatches; a last one of a single cell joins the one before it."""
    parts = list(order.split(size))
    if len(parts) > 1:
        last = len(parts[-1])
        if drop_last and last < size:
            parts.pop()
        elif last == 1:  # neither batch normalisation nor a contrast works on one cell
            parts[-2:] = [torch.cat(parts[-2:])]
    return parts
