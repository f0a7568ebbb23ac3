"""CLEAR (Han et al. 2022): five augmentations, a momentum encoder, a queue of keys, InfoNCE."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import nn

from scclr_ext.engine.augment import Crossover, CrossoverMany, GaussianNoise, Mask, Swap, Views
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.encoders import mlp
from scclr_ext.engine.losses import info_nce, unit_rows
from scclr_ext.engine.methods._base import DataInfo, Method, StepOutput
from scclr_ext.engine.queue import KeyQueue

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class ClearConfig(MethodConfig):
    """Settings of CLEAR; those of :class:`~scclr_ext.engine.config.MethodConfig` and the following.

    The defaults are the recommended preset. `CLEAR_PRESETS` holds it and the published ones.

    Parameters
    ----------
    mask_rate, noise_rate, swap_rate, crossover_rate, crossover_many_rate
        Share of the genes that each augmentation touches.
    noise_sd
        Standard deviation of the noise.
    mask_probability, noise_probability, swap_probability, crossover_probability, crossover_many_probability
        Chance of a cell to undergo each augmentation.
    hidden
        Widths of the hidden layers.
    embedding_dim
        Dimensions of the embedding.
    last_relu
        End the encoder with a ReLU (as published): the embedding has no negative values then.
    batch_norm
        Normalise the hidden layers.
    start_from_pca
        Let the first layer's weights start half at random, half as random mixtures of the principal components. Faint
        types are found more often then; batches that the training is not told of are, too.
    head
        Widths of a projection head on which the loss acts; the embedding is what goes into it. Empty: no head.
    momentum
        Share of the old key encoder that is kept at each step (equation 3).
    queue_size
        Keys held as negatives; never more than there are cells.
    symmetric
        Each view is once query and once key (equation 2), and the keys of both are enqueued.
    in_batch
        The keys of the other cells of the minibatch are negatives too.
    embed_with
        Encoder that embeds the cells: the `"query"` encoder (paper) or the `"key"` encoder (program).
    normalize
        Give the embedding unit length.

    Examples
    --------
    >>> from scclr_ext.engine.methods import ClearConfig
    >>> ClearConfig(mask_rate=0.3).mask_probability
    0.5
    """

    scale: bool = False
    steps: int | None = 300
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    neighbor_probability: float = 0.8
    cross_batch_probability: float = 0.5
    mask_rate: float = 0.2
    mask_probability: float = 0.5
    noise_rate: float = 0.8
    noise_sd: float = 0.2
    noise_probability: float = 0.5
    swap_rate: float = 0.1
    swap_probability: float = 0.5
    crossover_rate: float = 0.25
    crossover_probability: float = 0.5
    crossover_many_rate: float = 0.25
    crossover_many_probability: float = 0.5
    hidden: tuple[int, ...] = (256,)
    embedding_dim: int = 128
    last_relu: bool = False
    batch_norm: bool = True
    start_from_pca: bool = False
    head: tuple[int, ...] = ()
    momentum: float = 0.99
    queue_size: int = 1024
    symmetric: bool = False
    in_batch: bool = True
    embed_with: Literal["query", "key"] = "query"
    normalize: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        for step in ("mask", "noise", "swap", "crossover", "crossover_many"):
            for name in (f"{step}_rate", f"{step}_probability"):
                self.require(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        self.require("noise_sd", self.noise_sd >= 0, "at least 0")
        self.require("embedding_dim", self.embedding_dim >= 1, "at least 1")
        self.require("momentum", 0 <= self.momentum < 1, "in [0, 1)")
        self.require("queue_size", self.queue_size >= 1, "at least 1")

    @property
    def uses_components(self) -> bool:
        """To start from."""
        return self.start_from_pca


_PUBLISHED = ClearConfig(
    scale=True,
    batch_size=512,
    epochs=200,
    steps=None,
    optimizer="adam",
    learning_rate=1.0,
    weight_decay=0.0,
    schedule="cosine",
    neighbor_probability=0.0,
    cross_batch_probability=0.0,
    hidden=(1024,),
    last_relu=True,
    batch_norm=False,
    momentum=0.999,
    symmetric=True,
)
CLEAR_PRESETS = {
    "paper": _PUBLISHED,
    "code": replace(
        _PUBLISHED,
        epochs=100,
        drop_last=True,
        optimizer="sgd",
        weight_decay=1e-6,
        noise_sd=0.5,  # the program ignores the 0.2 it is given
        symmetric=False,
        in_batch=False,
        embed_with="key",
        normalize=True,
    ),
    "default": ClearConfig(),
}


class Clear(Method[ClearConfig]):
    """A query encoder that learns and a key encoder that follows it slowly."""

    def __init__(self, config: ClearConfig, data: DataInfo, generator: Generator) -> None:
        super().__init__(config, data)
        c = config
        self.views = Views(
            [
                Mask(c.mask_rate, probability=c.mask_probability),
                GaussianNoise(c.noise_rate, sd=c.noise_sd, probability=c.noise_probability),
                Swap(c.swap_rate, probability=c.swap_probability),
                Crossover(c.crossover_rate, probability=c.crossover_probability),
                CrossoverMany(c.crossover_many_rate, probability=c.crossover_many_probability),
            ]
        )
        self.query = _Encoder(c, data, generator)
        self.key = copy.deepcopy(self.query).requires_grad_(requires_grad=False)
        key_dim = c.head[-1] if c.head else c.embedding_dim
        self.queue = KeyQueue(min(c.queue_size, data.n_cells), key_dim, generator)

    def forward(
        self, x: Tensor, generator: Generator, partner: Tensor | None = None, batches: Tensor | None = None
    ) -> StepOutput:
        """Compare queries of one view with keys of the other (and the other way round)."""
        first = self.scaling(x)
        second = first if partner is None else self.scaling(partner)
        views = [self.views(cells, generator) for cells in (first, second)]
        directions = [(0, 1), (1, 0)] if self.config.symmetric else [(0, 1)]
        # Cells of another batch could be told apart by the batch effect alone: they are no negatives. (Of the cells in
        # the minibatch, that is: half of the keys are made from their partners in other batches.)
        batches = None if batches is None else self.gather(batches)
        foreign = None if batches is None else self.queue.foreign(batches)
        losses, queries, keys = [], [], []
        for anchor, positive in directions:
            query = self.gather(unit_rows(self.query(views[anchor])))
            with torch.no_grad():
                key = self.gather(unit_rows(self.key(views[positive])))
            losses.append(self._loss(query, key, foreign))
            queries.append(query)
            keys.append(key)
        chance = self._chance(len(queries[0]), foreign)
        # Once per step and after both directions: a key must not meet itself among the negatives.
        self.queue.enqueue(torch.cat(keys), None if batches is None else batches.repeat(len(keys)))
        return StepOutput(torch.stack(losses).mean(), queries[0], keys[0], chance)

    def _loss(self, query: Tensor, key: Tensor, foreign: Tensor | None) -> Tensor:
        c = self.config
        return info_nce(query, key, self.queue.keys, c.temperature, in_batch=c.in_batch, ignore=foreign)

    def _chance(self, n_cells: int, foreign: Tensor | None) -> Tensor:
        """Mean over the cells of the logarithm of how many keys each is compared with."""
        others = n_cells - 1 if self.config.in_batch else 0
        queue = self.queue.keys.new_full((n_cells,), len(self.queue.keys))
        if foreign is not None:
            queue = queue - foreign.sum(dim=1)
        return torch.log(1 + others + queue).mean()

    @torch.no_grad()
    def after_step(self) -> None:
        """Let the key encoder follow the query encoder (equation 3)."""
        m = self.config.momentum
        for old, new in zip(self.key.parameters(), self.query.parameters(), strict=True):
            old.mul_(m).add_(new, alpha=1 - m)  # in place: new memory would cost more than the arithmetic

    def represent(self, x: Tensor) -> Tensor:
        """Embed cells with the representation before the head."""
        encoder = self.query if self.config.embed_with == "query" else self.key
        z = encoder.body(self.scaling(x))
        return F.normalize(z, dim=1) if self.config.normalize else z


class _Encoder(nn.Module):
    """The body, whose output is the embedding, and the head that the loss sees."""

    def __init__(self, config: ClearConfig, data: DataInfo, generator: Generator) -> None:
        super().__init__()
        c = config
        sizes = (data.n_genes, *c.hidden, c.embedding_dim)
        start = data.directions if c.start_from_pca else None
        self.body = mlp(sizes, generator, batch_norm=c.batch_norm, last_relu=c.last_relu, start=start)
        self.head = mlp((config.embedding_dim, *config.head), generator, batch_norm=config.batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the loss compares."""
        return self.head(self.body(x))
