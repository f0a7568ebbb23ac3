"""scclr, recommended with batches: views of a fifth of the genes, neighbours as positives, a head thrown away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from scclr_ext.engine.augment import GeneSubset, Views
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.encoders import Standardize, mlp
from scclr_ext.engine.losses import nt_xent, unit_rows
from scclr_ext.engine.methods._base import DataInfo, Method, StepOutput

if TYPE_CHECKING:
    from torch import Generator, Tensor

_ROUNDING = 1e-12
"""Of what values measure from zero, squared: a variance below that is what rounding leaves of none."""


@dataclass(frozen=True, kw_only=True)
class ScclrConfig(MethodConfig):
    """Settings of scclr; those of :class:`~scclr_ext.engine.config.MethodConfig` and the following.

    Parameters
    ----------
    mask_rate
        Share of the genes that a view lacks, the same in all cells of a minibatch (of a process's part of it): the
        first layer, which takes most of the time, multiplies the others only.
    hidden
        Widths of the hidden layers, each batch-normalised.
    embedding_dim
        Dimensions of the embedding.
    pca
        Put the principal components of the same genes beside the learned dimensions, both scaled to the same total
        variance: what is linear need not be learned, and differences that the masking drowns are kept. With batches,
        which the components would bring back, only what mutual neighbours of different batches agree on.
    start_from_pca
        Let the first layer's weights start half at random, half as random mixtures of the principal components: where
        little of the counts is signal, the training takes long to find it by itself.
    head
        Widths of the projection head on which the loss acts. The embedding is what goes into it: the loss wants
        cells spread evenly over a sphere, and the head takes that wish upon itself (Chen et al. 2020, section 4.2).
        Empty: no head, the loss acts on the embedding.

    Examples
    --------
    >>> from scclr_ext.engine.methods import ScclrConfig
    >>> ScclrConfig(steps=1000).mask_rate
    0.8
    """

    steps: int | None = 600
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    neighbor_probability: float = 0.8
    cross_batch_probability: float = 0.5
    n_neighbors: int = 30
    signal_neighbors: bool = True
    mask_rate: float = 0.8
    hidden: tuple[int, ...] = (256,)
    embedding_dim: int = 64
    head: tuple[int, ...] = (64, 64)
    pca: bool = True
    start_from_pca: bool = True

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        self.require("mask_rate", 0 <= self.mask_rate < 1, "in [0, 1)")
        self.require("embedding_dim", self.embedding_dim >= 1, "at least 1")

    @property
    def uses_components(self) -> bool:
        """Beside the learned dimensions, or to start from."""
        return self.pca or self.start_from_pca


SCCLR_PRESETS = {"default": ScclrConfig()}


class Scclr(Method[ScclrConfig]):
    """One encoder and a head; both views pass together."""

    axes: Tensor
    scales: Tensor

    def __init__(self, config: ScclrConfig, data: DataInfo, generator: Generator) -> None:
        super().__init__(config, data)
        self.subset = GeneSubset(config.mask_rate)
        self.views = Views([self.subset])
        sizes = (data.n_genes, *config.hidden, config.embedding_dim)
        start = data.directions if config.start_from_pca else None
        self.body = mlp(sizes, generator, batch_norm=True, init="xavier", start=start)
        self.head = mlp((config.embedding_dim, *config.head), generator, batch_norm=True, init="xavier")
        axes = np.zeros((0, data.n_genes)) if data.components is None or not config.pca else data.components
        self.register_buffer("axes", torch.as_tensor(axes, dtype=torch.float32))
        self.register_buffer("scales", torch.ones(2))

    def forward(
        self, x: Tensor, generator: Generator, partner: Tensor | None = None, batches: Tensor | None = None
    ) -> StepOutput:
        """Compare two views of a minibatch."""
        z = unit_rows(self.head(self.body[1:](self._first_layer((x, x if partner is None else partner), generator))))
        first, second = map(self.gather, z.chunk(2))
        chance = first.new_full((), math.log(2 * len(first) - 1))
        return StepOutput(nt_xent(first, second, self.config.temperature), first, second, chance)

    def _first_layer(self, cells: tuple[Tensor, Tensor], generator: Generator) -> Tensor:
        """Draw a view of each of two minibatches, and pass both through the first layer without the genes they lack."""
        layer: Any = self.body[0]
        genes = [self.subset.kept(x.shape[1], generator) for x in cells]
        weights = layer.weight.index_select(1, torch.cat(genes)).chunk(2, dim=1)  # at once: one gradient to add up
        views = [x.index_select(1, kept) for x, kept in zip(cells, genes, strict=True)]
        if isinstance(scaling := self.scaling, Standardize):
            views = [scaling(view, kept) for view, kept in zip(views, genes, strict=True)]
        return torch.cat([F.linear(view, weight, layer.bias) for view, weight in zip(views, weights, strict=True)])

    def represent(self, x: Tensor) -> Tensor:
        """Embed cells with the representation before the head, and the principal components beside it."""
        learned, linear = self._parts(x)
        return torch.cat([learned * self.scales[0], linear * self.scales[1]], dim=1) if len(self.axes) else learned

    @torch.no_grad()
    def finish(self, x: Tensor) -> None:
        """Give both parts of the embedding the same total variance over `x`: one; a part that does not vary stays."""
        for i, part in enumerate(self._parts(x)):
            variance = (part - part.mean(dim=0)).square().mean(dim=0).sum()
            varies = variance > _ROUNDING * part.square().mean(dim=0).sum()
            self.scales[i] = torch.where(varies, variance.rsqrt(), 1.0)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scaled = self.scaling(x)
        return self.body(scaled), scaled @ self.axes.T
