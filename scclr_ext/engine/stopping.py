"""When a training has gone on long enough: the neighbourhoods in the representation have stopped settling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from scclr_ext.engine.neighbors import few_neighbors

if TYPE_CHECKING:
    from torch import Generator

_CELLS = 1000
_NEIGHBORS = 15
_PATIENCE = 3
_RISE = 0.01
_STEPS = 25
"""Least steps between two looks: a single step changes few neighbours at any time."""


class Stability:
    """Follows how many of a cell's nearest neighbours stay the same from one look to the next.

    No labels are needed: early in a training neighbourhoods change from look to look, later on only the noise of the
    minibatches moves them. The representation is called steady once the overlap has not risen by more than 0.01 in
    three looks.

    Parameters
    ----------
    n_cells
        Cells to choose the sample from.
    generator
        Draws the sample, at most 1 000 cells.
    """

    def __init__(self, n_cells: int, generator: Generator) -> None:
        self.cells = torch.randperm(n_cells, generator=generator)[:_CELLS].sort().values
        self.overlaps: list[float] = []
        self._before: np.ndarray | None = None
        self._step = 0

    def due(self, step: int) -> bool:
        """Whether the last look is long enough ago; says so once for each look."""
        if step - self._step < _STEPS:
            return False
        self._step = step
        return True

    def look(self, rep: np.ndarray) -> float:
        """Compare the sample's representation, shape ``(len(self.cells), dimensions)``, with the last one.

        Returns
        -------
        The mean share of neighbours that stayed; NaN the first time.
        """
        k = min(few_neighbors(_NEIGHBORS, len(rep)), len(rep) - 1)
        found = NearestNeighbors(n_neighbors=k).fit(rep).kneighbors(return_distance=False)
        if self._before is not None:
            same = [len(np.intersect1d(a, b, assume_unique=True)) for a, b in zip(self._before, found, strict=True)]
            self.overlaps.append(float(np.mean(same)) / k)
        first, self._before = self._before is None, found
        return float("nan") if first else self.overlaps[-1]

    @property
    def steady(self) -> bool:
        """Whether the overlap has stopped rising."""
        earlier, latest = self.overlaps[:-_PATIENCE], self.overlaps[-_PATIENCE:]
        return len(earlier) > 0 and max(latest) < max(earlier) + _RISE

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep."""
        before = None if self._before is None else torch.from_numpy(self._before)
        return {"cells": self.cells, "overlaps": self.overlaps, "before": before, "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up from a checkpoint."""
        self.cells, self.overlaps, self._step = state["cells"], list(state["overlaps"]), state["step"]
        self._before = None if state["before"] is None else state["before"].numpy()
