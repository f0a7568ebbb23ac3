"""contrastive-sc (Ciortan & Defrance 2021): input dropout, one encoder, NT-Xent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch.nn.functional as F

from scclr_ext.engine.augment import Mask, Views
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.encoders import mlp
from scclr_ext.engine.losses import nt_xent, unit_rows
from scclr_ext.engine.methods._base import DataInfo, Method, StepOutput

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class ContrastiveSCConfig(MethodConfig):
    """Settings of contrastive-sc; those of :class:`~scclr_ext.engine.config.MethodConfig` and the following.

    The defaults are the recommended preset. `CONTRASTIVE_SC_PRESETS` holds it and the published ones.

    Parameters
    ----------
    hidden
        Widths of the hidden layers.
    embedding_dim
        Dimensions of the embedding.
    dropout
        Chance of each gene to be zeroed in a view.
    normalize
        Give the embedding unit length, as the authors' program does.

    Examples
    --------
    >>> from scclr_ext.engine.methods import ContrastiveSCConfig
    >>> ContrastiveSCConfig(dropout=0.8).embedding_dim
    60
    """

    steps: int | None = 600
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    hidden: tuple[int, ...] = (200,)
    embedding_dim: int = 60
    dropout: float = 0.9
    normalize: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        self.require("dropout", 0 <= self.dropout < 1, "in [0, 1)")
        self.require("embedding_dim", self.embedding_dim >= 1, "at least 1")


_PUBLISHED = ContrastiveSCConfig(
    max_value=None,
    temperature=0.07,
    batch_size=200,
    epochs=30,
    steps=None,
    optimizer="adam",
    learning_rate=0.4,
    weight_decay=0.0,
    schedule="cosine",
    final_rate=1e-3,
    hidden=(200, 40),
)
CONTRASTIVE_SC_PRESETS = {
    "paper": _PUBLISHED,
    # The program's cosine is stretched over 500 epochs although 30 are run: the rate hardly falls.
    "code": replace(_PUBLISHED, schedule_epochs=500, normalize=True),
    "default": ContrastiveSCConfig(),
}


class ContrastiveSC(Method[ContrastiveSCConfig]):
    """One encoder; the two views pass through it one after the other, so batch statistics are per view."""

    def __init__(self, config: ContrastiveSCConfig, data: DataInfo, generator: Generator) -> None:
        super().__init__(config, data)
        self.views = Views([Mask(config.dropout, rescale=True)])
        sizes = (data.n_genes, *config.hidden, config.embedding_dim)
        self.encoder = mlp(sizes, generator, batch_norm=True, init="xavier")

    def forward(
        self, x: Tensor, generator: Generator, partner: Tensor | None = None, batches: Tensor | None = None
    ) -> StepOutput:
        """Compare two views of a minibatch."""
        scaled = self.scaling(x)
        first, second = (
            self.gather(unit_rows(self.encoder(self.views(cells, generator))))
            for cells in (scaled, scaled if partner is None else self.scaling(partner))
        )
        chance = first.new_full((), math.log(2 * len(first) - 1))
        return StepOutput(nt_xent(first, second, self.config.temperature), first, second, chance)

    def represent(self, x: Tensor) -> Tensor:
        """Embed cells with the running batch statistics."""
        z = self.encoder(self.scaling(x))
        return F.normalize(z, dim=1) if self.config.normalize else z
