"""contrastive-sc with noise added to its views, which the package does not offer: its authors found no gain in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scclr_ext.engine.augment import GaussianNoise, Mask, Views
from scclr_ext.engine.methods import METHODS, ContrastiveSC, ContrastiveSCConfig

if TYPE_CHECKING:
    from torch import Generator

    from scclr_ext.engine.methods import DataInfo


@dataclass(frozen=True, kw_only=True)
class NoisyConfig(ContrastiveSCConfig):
    """contrastive-sc whose views have noise added to every gene."""

    noise_sd: float = 0.1


class Noisy(ContrastiveSC):
    """Dropout, then noise."""

    def __init__(self, config: NoisyConfig, data: DataInfo, generator: Generator) -> None:
        super().__init__(config, data, generator)
        self.views = Views([Mask(config.dropout, rescale=True), GaussianNoise(1.0, sd=config.noise_sd)])


def _build(config: ContrastiveSCConfig, data: DataInfo, generator: Generator) -> ContrastiveSC:
    build = Noisy if isinstance(config, NoisyConfig) else ContrastiveSC
    return build(config, data, generator)


METHODS["contrastive-sc"] = METHODS["contrastive-sc"]._replace(build=_build)
