"""The views of a cell: one module per augmentation, for a whole minibatch at once, on its device.

Every module maps expression values ``(cells, genes)`` to distorted values of the same shape and leaves its input,
and the cells it borrows from, as they were. Which genes are hit is decided independently for each gene, cell and
view, so a rate is met on average and not to the last gene (but for :class:`GeneSubset`).

What a step does is said twice: here with tensors, for any device and any order of steps, and in a compiled loop
(:mod:`scclr_ext.engine._kernel`) that draws the usual steps on the CPU in one pass, many times faster. The tests hold
both to the same statistics.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from scclr_ext.engine._compiled import draw_compiled, gene_pairs
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

    # What the compiled loop has to know: which of its steps this is (None: none of them), and what that step needs.
    place: int | None = None
    borrows: bool = False
    pairs: bool = False
    rescale: bool = False
    sd: float | None = None

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
        view = draw_compiled([self], x, donors, generator)
        return self.draw(x, donors, generator) if view is None else view

    def draw(self, x: Tensor, donors: Tensor, generator: Generator) -> Tensor:
        """Distort a minibatch with tensor operations; the arguments are those of `forward`."""
        everyone = torch.arange(len(x), device=x.device)
        if self.probability >= 1:
            return self.distort(x, donors, everyone, generator)
        chosen = coin((len(x),), self.probability, generator)
        if x.is_cuda:  # asking which cells they are would make the processor wait for the device
            return torch.where(chosen[:, None], self.distort(x, donors, everyone, generator), x)
        rows = chosen.nonzero().squeeze(1)  # cells that are left alone cost no random numbers
        view = x.clone()
        view[rows] = self.distort(x[rows], donors, rows, generator)  # (index_copy is younger on Apple GPUs)
        return view

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

    place = 0

    def __init__(self, rate: float, *, probability: float = 1.0, rescale: bool = False) -> None:
        super().__init__(rate, probability=probability)
        self.rescale = rescale

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Zero the chosen genes."""
        masked = x * coin(x.shape, 1.0 - self.rate, generator)  # several times faster than filling
        return masked.div_(1.0 - self.rate) if self.rescale else masked


class GeneSubset(Augmentation):
    """Set genes to zero, the same ones in every cell of the minibatch, others in each view.

    What is zero in every cell need not be multiplied: a layer that reads this view can leave these genes out.
    """

    def kept(self, n_genes: int, generator: Generator) -> Tensor:
        """Draw the genes that a view keeps, ascending: their share of all is met, but at least one is left."""
        order = torch.randperm(n_genes, generator=generator, device=generator.device)
        return order[: max(round(n_genes * (1 - self.rate)), 1)].sort().values

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Zero all genes but those that are kept."""
        genes = self.kept(x.shape[1], generator)
        return torch.zeros_like(x).index_copy_(1, genes, x.index_select(1, genes))


class GaussianNoise(Augmentation):
    """Add normal noise to genes (CLEAR, Methods, step ii).

    Parameters
    ----------
    rate, probability
        See :class:`Augmentation`.
    sd
        Standard deviation of the noise, in the units of the input.
    """

    place = 1

    def __init__(self, rate: float, *, sd: float, probability: float = 1.0) -> None:
        super().__init__(rate, probability=probability)
        self.sd: float = sd

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Add noise to the chosen genes."""
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype).mul_(self.sd)
        return x + noise.mul_(coin(x.shape, self.rate, generator))


class Swap(Augmentation):
    """Exchange the values of pairs of genes within a cell (CLEAR, Methods, step iii).

    Genes are paired at random once per minibatch and view; each cell then swaps each pair, or does not. A gene is
    in at most one pair, so a cell keeps the multiset of its values.
    """

    place = 2
    pairs = True

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Swap the chosen pairs."""
        left, right = gene_pairs(x.shape[1], generator)
        partner = torch.arange(x.shape[1], device=x.device)
        partner[left], partner[right] = right, left
        chosen = torch.zeros(x.shape, dtype=torch.bool, device=x.device)
        flips = coin((len(x), len(left)), self.rate, generator)
        chosen[:, left], chosen[:, right] = flips, flips
        return torch.where(chosen, x[:, partner], x)


class Crossover(Augmentation):
    """Take genes from one other cell (CLEAR, Methods, step iv)."""

    place = 3
    borrows = True

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Replace the chosen genes by those of one donor per cell."""
        if len(donors) < 2:
            return x
        donor = _other_cells(rows, len(donors), generator)
        return torch.where(coin(x.shape, self.rate, generator), donors[donor], x)


class CrossoverMany(Augmentation):
    """Take genes from many other cells, each gene from its own (CLEAR, Methods, step v)."""

    place = 4
    borrows = True

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        """Replace each chosen gene by that of its own donor."""
        if len(donors) < 2:
            return x
        donor = _other_cells(rows[:, None].expand(x.shape), len(donors), generator)
        return torch.where(coin(x.shape, self.rate, generator), donors.gather(0, donor), x)


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

    @property
    def active(self) -> list[Augmentation]:
        """Those that change anything."""
        steps = (step for step in self.steps if isinstance(step, Augmentation))
        return [step for step in steps if step.rate > 0 and step.probability > 0]

    def forward(self, x: Tensor, generator: Generator) -> Tensor:
        """Draw one view of every cell in `x`, shape ``(cells, genes)``."""
        view = draw_compiled(self.active, x, x, generator)
        if view is None:
            view = x
            for step in self.active:
                view = step(view, x, generator)
        return view


def _other_cells(rows: Tensor, n: int, generator: Generator) -> Tensor:
    """Draw one of the `n` cells for every entry of `rows`, uniformly, never the cell itself."""
    step = torch.randint(1, n, rows.shape, generator=generator, device=rows.device)
    return (rows + step) % n
