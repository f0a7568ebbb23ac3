"""Training steps of the published kind: every view drawn cell by cell in NumPy, then stacked.

Written for this comparison after the papers' descriptions, and twice for CLEAR: with the kind of draws that its program
makes (NumPy's older generator shuffles a mask of all genes, noise comes in double precision, cells are stacked as
tensors), and with the quickest NumPy call for each draw that we know. Networks and losses are this package's; optimiser
and momentum update are PyTorch's plain ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from scclr_ext.engine._random import Seeds
from scclr_ext.engine.methods import DataInfo, build
from scclr_ext.engine.moments import gene_moments
from scclr_ext.engine.optim import build_optimizer

if TYPE_CHECKING:
    from scipy import sparse

    from scclr_ext.engine.config import MethodConfig


class _CellByCell(nn.Module):
    """Takes the place of a method's views."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.rng = np.random.default_rng(0)

    def forward(self, x: Tensor, generator: Generator) -> Tensor:
        """Draw one view of every cell."""
        cells = x.numpy()
        return torch.from_numpy(np.stack([self.view(i, cells) for i in range(len(cells))]))

    def view(self, i: int, cells: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class _ClearViews(_CellByCell):
    def view(self, i: int, cells: np.ndarray) -> np.ndarray:
        """Draw the five steps for one cell."""
        c, rng = self.config, self.rng
        view = cells[i].copy()
        genes = len(view)
        if rng.random() < c.mask_probability:
            view[self.some(genes, c.mask_rate)] = 0
        if rng.random() < c.noise_probability:
            hit = self.some(genes, c.noise_rate)
            view[hit] += self.noise(len(hit))
        if rng.random() < c.swap_probability:
            left, right = self.some(genes, c.swap_rate, even=True).reshape(2, -1)
            view[left], view[right] = view[right], view[left]
        if rng.random() < c.crossover_probability:
            hit = self.some(genes, c.crossover_rate)
            view[hit] = cells[self.donors(len(cells), None), hit]
        if rng.random() < c.crossover_many_probability:
            hit = self.some(genes, c.crossover_many_rate)
            view[hit] = cells[self.donors(len(cells), len(hit)), hit]
        return view

    def noise(self, n: int) -> np.ndarray:
        """Draw the noise of as many genes."""
        return self.rng.standard_normal(n, dtype=np.float32) * np.float32(self.config.noise_sd)

    def donors(self, n: int, size: int | None) -> np.ndarray:
        """Draw cells that lend values, out of n."""
        return self.rng.integers(n, size=size)

    def some(self, genes: int, rate: float, *, even: bool = False) -> np.ndarray:
        """Draw the genes that a step hits: as many as its rate says, to the last gene."""
        n = int(rate * genes)
        return self.rng.permutation(genes)[: n // 2 * 2 if even else n]


class _ClearViewsAsPublished(_ClearViews):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.rng = np.random.RandomState(0)

    def forward(self, x: Tensor, generator: Generator) -> Tensor:
        cells = x.numpy()
        return torch.stack([torch.from_numpy(self.view(i, cells)) for i in range(len(cells))])

    def noise(self, n: int) -> np.ndarray:
        return self.rng.normal(0, self.config.noise_sd, n)

    def donors(self, n: int, size: int | None) -> np.ndarray:
        return self.rng.randint(n, size=size)

    def some(self, genes: int, rate: float, *, even: bool = False) -> np.ndarray:
        if even:  # pairs, which may meet a gene twice
            return self.rng.randint(genes, size=int(rate * genes) // 2 * 2)
        mask = np.arange(genes) < int(rate * genes)
        self.rng.shuffle(mask)
        return np.flatnonzero(mask)


class _DropoutViews(_CellByCell):
    def view(self, i: int, cells: np.ndarray) -> np.ndarray:
        """Zero genes of one cell and rescale the others."""
        keep = self.rng.random(cells.shape[1], dtype=np.float32) >= self.config.dropout
        return cells[i] * keep * np.float32(1 / (1 - self.config.dropout))


class _Loop:
    views: type[_CellByCell]

    def __init__(self, config: MethodConfig, values: sparse.csr_matrix) -> None:
        self.batch_size = config.batch_size
        self.seeds = Seeds.from_random_state(0, torch.device("cpu"))
        self.method = build(config, DataInfo(values.shape[0], *gene_moments(values)), self.seeds.weights)
        self.method.views = self.views(config)
        self.method.train()
        self.optimizer = build_optimizer(self.method, config, fused=False)
        self.matrix = torch.from_numpy(values.toarray())  # the published programs hold it dense

    def step(self) -> None:
        """Take one training step."""
        index = torch.randperm(len(self.matrix))[: self.batch_size]
        output = self.method(self.matrix[index], self.seeds.views)
        self.optimizer.zero_grad()
        output.loss.backward()
        self.optimizer.step()
        self.after()

    def after(self) -> None:
        """Do what follows a step."""


class ClearLoop(_Loop):
    """CLEAR's way."""

    views = _ClearViews

    @torch.no_grad()
    def after(self) -> None:
        """Move the key encoder."""
        m = self.method.config.momentum
        for key, query in zip(self.method.key.parameters(), self.method.query.parameters(), strict=True):
            key.data = key.data * m + query.data * (1 - m)


class ClearLoopAsPublished(ClearLoop):
    """CLEAR's way, with the draws of its program."""

    views = _ClearViewsAsPublished


class ContrastiveSCLoop(_Loop):
    """contrastive-sc's way, its dropout drawn like the rest."""

    views = _DropoutViews
