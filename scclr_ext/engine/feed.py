"""What the training loop is fed with: minibatches of cells and of the cells that stand in for their second views."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from scclr_ext.engine.processes import share
from scclr_ext.engine.sampling import Minibatches
from scclr_ext.engine.source import FetchedSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from lightning_fabric import Fabric
    from torch import Generator, Tensor

    from scclr_ext.engine.neighbors import Neighbors
    from scclr_ext.engine.sampling import Sampler
    from scclr_ext.engine.source import Source


@dataclass(frozen=True)
class Minibatch:
    """The cells of one step, or a process's part of them.

    Parameters
    ----------
    index
        Which they are, shape ``(cells,)``.
    cells
        Their values, shape ``(cells, genes)``.
    partners
        Values of the cells that stand in for them in the second view, likewise; None where none may.
    """

    index: Tensor
    cells: Tensor
    partners: Tensor | None


class Feed:
    """Minibatch after minibatch; where each has to be brought to the device, a thread brings the next one meanwhile.

    What the device holds is not read ahead: picking it there takes less than handing it from thread to thread.

    Parameters
    ----------
    source
        Hands out the cells.
    sampler
        Decides the minibatches.
    generator
        Draws their order, and who stands in for whom.
    fabric
        The processes that share each minibatch.
    neighbors
        Cells that may stand in for a cell.
    neighbor_probability
        Chance that one of them does.
    """

    def __init__(
        self,
        source: Source,
        sampler: Sampler,
        generator: Generator,
        fabric: Fabric,
        *,
        neighbors: Neighbors | None = None,
        neighbor_probability: float = 0.0,
    ) -> None:
        self._source, self._generator, self._fabric = source, generator, fabric
        self._neighbors, self._probability = neighbors, neighbor_probability
        self._minibatches = Minibatches(sampler, generator)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scclr_ext")
        self._ahead: Future[Minibatch] | None = None
        self._state: dict[str, Any] | None = None

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def take(self, *, more: bool) -> Minibatch:
        """Return the next minibatch; `more` says whether another one will be taken."""
        minibatch = self._draw()() if self._ahead is None else self._ahead.result()
        self._ahead = self._state = None
        if more and isinstance(self._source, FetchedSource):
            self._state = self._minibatches.state_dict()  # a checkpoint must not skip what was only read ahead
            self._ahead = self._thread.submit(self._draw())
        return minibatch

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep: where the minibatches that were taken end."""
        return self._minibatches.state_dict() if self._state is None else self._state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up from a checkpoint."""
        self._minibatches.load_state_dict(state)

    def _draw(self) -> Callable[[], Minibatch]:
        """Draw what the next minibatch is, here and now, for the generator's sake; the result reads it."""
        drawn = next(self._minibatches)
        index = share(drawn, self._fabric)
        if self._neighbors is None:
            return lambda: Minibatch(index, self._source.rows(index), None)
        partner = share(self._neighbors.draw(drawn, self._probability, self._generator), self._fabric)

        def read() -> Minibatch:
            # At once: looking rows up costs more than copying them.
            cells, partners = self._source.rows(torch.cat([index, partner])).chunk(2)
            return Minibatch(index, cells, partners)

        return read
