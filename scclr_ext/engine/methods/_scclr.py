"""scclr, the recommended method: heavily masked views, neighbours as positives, a head that is thrown away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from scclr_ext.engine.augment import Mask, Views
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.encoders import mlp
from scclr_ext.engine.losses import nt_xent
from scclr_ext.engine.methods._base import DataInfo, Method, StepOutput

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class ScclrConfig(MethodConfig):
    """Settings of scclr; those of :class:`~scclr_ext.engine.config.MethodConfig` and the following.

    Parameters
    ----------
    mask_rate
        Chance of each gene to be zeroed in a view.
    hidden
        Widths of the hidden layers, each batch-normalised.
    embedding_dim
        Dimensions of the embedding.
    head
        Widths of the projection head on which the loss acts. The embedding is what goes into it: the loss wants
        cells spread evenly over a sphere, and the head takes that wish upon itself (Chen et al. 2020, section 4.2).

    Examples
    --------
    >>> from scclr_ext.engine.methods import ScclrConfig
    >>> ScclrConfig(steps=600).mask_rate
    0.8
    """

    steps: int | None = 300
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    neighbor_probability: float = 0.5
    mask_rate: float = 0.8
    hidden: tuple[int, ...] = (256,)
    embedding_dim: int = 64
    head: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        self.require("mask_rate", 0 <= self.mask_rate < 1, "in [0, 1)")
        self.require("embedding_dim", self.embedding_dim >= 1, "at least 1")
        self.require("head", len(self.head) > 0, "at least one layer wide")


SCCLR_PRESETS = {"default": ScclrConfig()}


class Scclr(Method[ScclrConfig]):
    """One encoder and a head; both views pass together."""

    def __init__(self, config: ScclrConfig, data: DataInfo, generator: Generator) -> None:
        super().__init__(config, data)
        self.views = Views([Mask(config.mask_rate)])
        self.body = mlp((data.n_genes, *config.hidden, config.embedding_dim), generator, batch_norm=True, init="xavier")
        self.head = mlp((config.embedding_dim, *config.head), generator, batch_norm=True, init="xavier")
        self._full_batch = min(config.batch_size, data.n_cells)

    def forward(self, x: Tensor, generator: Generator, partner: Tensor | None = None) -> StepOutput:
        """Compare two views of a minibatch."""
        cells = torch.cat([x, x if partner is None else partner])
        z = F.normalize(self.head(self.body(self.views(self.scaling(cells), generator))), dim=1)
        first, second = z.chunk(2)
        return StepOutput(nt_xent(first, second, self.config.temperature), first, second)

    def represent(self, x: Tensor) -> Tensor:
        """Embed cells with the representation before the head."""
        return self.body(self.scaling(x))

    @property
    def chance_loss(self) -> float:
        """Logarithm of the number of candidates an anchor is compared with."""
        return math.log(2 * self._full_batch - 1)
