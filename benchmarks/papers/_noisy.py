"""contrastive-sc with noise added to its views, which the package does not offer: its authors found no gain in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.papers._experiment import Method
from benchmarks.papers.methods import ours
from scclr_ext.engine.augment import GaussianNoise, Mask, Views
from scclr_ext.engine.methods import METHODS, ContrastiveSC, ContrastiveSCConfig

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
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


def noisy(sd: float) -> Method:
    """contrastive-sc's program with normal noise of this standard deviation added to its views."""
    config = NoisyConfig(**{**asdict(METHODS["contrastive-sc"].presets["code"]), "noise_sd": sd})
    plain = ours(config, "contrastive-sc", noise_sd=sd)

    def embed(adata: AnnData, seed: int) -> np.ndarray:
        row = METHODS["contrastive-sc"]
        METHODS["contrastive-sc"] = row._replace(build=Noisy)
        try:
            return plain.embed(adata, seed)
        finally:
            METHODS["contrastive-sc"] = row

    return Method(embed, plain.facts)
