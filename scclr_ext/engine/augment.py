"""The views of a cell: one module per augmentation, for a whole minibatch at once, on its device.

Every module maps expression values ``(cells, genes)`` to distorted values of the same shape and leaves its input,
and the cells it borrows from, as they were. Which genes are hit is decided independently for each gene, cell and
view, so a rate is met on average and not to the last gene.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from scclr_ext.engine._random import coin

if TYPE_CHECKING:
    from collections.abc import Iterable


class Augmentation(nn.Module, ABC):
    """A distortion that each cell undergoes with some probability.

    Parameters
    ----------
    rate
        Share of the genes that the distortion touches.
    probability
        Chance that a cell is distorted at all.
    """

    def __init__(self, rate: float, *, probability: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.probability = probability

    def forward(self, x: Tensor, donors: Tensor, generator: Generator) -> Tensor:
        """Distort a minibatch.

        Parameters
        ----------
        x
            Values of shape ``(cells, genes)``.
        donors
            The cells of the minibatch before any distortion, same shape; the crossovers borrow from them.
        generator
            Source of randomness, on the device of `x`.
        """
        if self.rate <= 0 or self.probability <= 0:
            return x
        if self.probability >= 1:
            return self.distort(x, donors, torch.arange(len(x), device=x.device), generator)
        rows = coin((len(x),), self.probability, generator).nonzero().squeeze(1)
        # Cells that are left alone cost no random numbers.
        return x.index_copy(0, rows, self.distort(x[rows], donors, rows, generator))

    @abstractmethod
    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Distort every row of `x`; `rows` says which cells of the minibatch they are."""

    def extra_repr(self) -> str:
        """Show the settings in the printed model."""
        return f"rate={self.rate}, probability={self.probability}"


class Mask(Augmentation):
    """Set genes to zero (CLEAR, Methods, step i; with `rescale` the input dropout of contrastive-sc).

    Parameters
    ----------
    rate, probability
        See :class:`Augmentation`.
    rescale
        Multiply the survivors by ``1 / (1 - rate)``, as a dropout layer does.
    """

    def __init__(self, rate: float, *, probability: float = 1.0, rescale: bool = False) -> None:
        super().__init__(rate, probability=probability)
        self.rescale = rescale

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Zero the chosen genes."""
        masked = x * coin(x.shape, 1.0 - self.rate, generator)  # several times faster than filling
        return masked.div_(1.0 - self.rate) if self.rescale else masked


class GaussianNoise(Augmentation):
    """Add normal noise to genes (CLEAR, Methods, step ii).

    Parameters
    ----------
    rate, probability
        See :class:`Augmentation`.
    sd
        Standard deviation of the noise, in the units of the input.
    """

    def __init__(self, rate: float, *, sd: float, probability: float = 1.0) -> None:
        super().__init__(rate, probability=probability)
        self.sd = sd

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Add noise to the chosen genes."""
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype).mul_(self.sd)
        return x + noise.mul_(coin(x.shape, self.rate, generator))


class Swap(Augmentation):
    """Exchange the values of pairs of genes within a cell (CLEAR, Methods, step iii).

    Genes are paired at random once per minibatch and view; each cell then swaps each pair, or does not. A gene is
    in at most one pair, so a cell keeps the multiset of its values.
    """

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Swap the chosen pairs."""
        n_pairs = x.shape[1] // 2
        order = torch.randperm(x.shape[1], generator=generator, device=x.device)
        left, right = order[:n_pairs], order[n_pairs : 2 * n_pairs]
        partner = torch.arange(x.shape[1], device=x.device)
        partner[left], partner[right] = right, left
        chosen = torch.zeros(x.shape, dtype=torch.bool, device=x.device)
        flips = coin((len(x), n_pairs), self.rate, generator)
        chosen[:, left], chosen[:, right] = flips, flips
        return torch.where(chosen, x[:, partner], x)


class Crossover(Augmentation):
    """Take genes from one other cell (CLEAR, Methods, step iv)."""

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Replace the chosen genes by those of one donor per cell."""
        if len(donors) < 2:
            return x
        donor = _other_cells(rows, len(donors), generator)
        return torch.where(coin(x.shape, self.rate, generator), donors[donor], x)


class CrossoverMany(Augmentation):
    """Take genes from many other cells, each gene from its own (CLEAR, Methods, step v)."""

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Replace each chosen gene by that of its own donor."""
        if len(donors) < 2:
            return x
        row, gene = coin(x.shape, self.rate, generator).nonzero(as_tuple=True)
        donor = _other_cells(rows[row], len(donors), generator)
        return x.index_put((row, gene), donors[donor, gene])


class Views(nn.Module):
    """Several augmentations in a fixed order; called once per view.

    Parameters
    ----------
    steps
        The augmentations, first to last. All borrow from the undistorted minibatch: an exchange never outlives it.
    """

    def __init__(self, steps: Iterable[Augmentation]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor, generator: Generator) -> Tensor:
        """Draw one view of every cell in `x`, shape ``(cells, genes)``."""
        view = x
        for step in self.steps:
            view = step(view, x, generator)
        return view


def _other_cells(rows: Tensor, n: int, generator: Generator) -> Tensor:
    """Draw one of the `n` cells for every entry of `rows`, uniformly, never the cell itself."""
    step = torch.randint(1, n, rows.shape, generator=generator, device=rows.device)
    return (rows + step) % n
