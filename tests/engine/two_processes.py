"""Train without distortions in as many processes as the first argument says; the first one writes what came out."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import torch.distributed as dist

from scclr_ext.engine.methods import ClearConfig, ContrastiveSCConfig, ScclrConfig
from scclr_ext.engine.processes import together
from scclr_ext.engine.run import run

SMALL = {"steps": 12, "batch_size": 16, "hidden": (16,)}
OFF = {f"{step}_probability": 0.0 for step in ("mask", "noise", "swap", "crossover", "crossover_many")}
CONFIGS = {
    "scclr": ScclrConfig(**SMALL, mask_rate=0.0),
    "clear": ClearConfig(**SMALL, **OFF, queue_size=24, symmetric=True),
    "contrastive-sc": ContrastiveSCConfig(**SMALL, dropout=0.0),
    "ragged": ScclrConfig(steps=12, batch_size=15, hidden=(16,)),  # no half of 15: one cell comes twice
    "early": ScclrConfig(steps=200, batch_size=32, hidden=(16,), early_stopping=True),
}
BATCHES = np.repeat([0, 1], 32)


def values() -> np.ndarray:
    """Logarithms of the counts of 64 cells of two kinds."""
    rate = np.where(np.arange(30) % 2 == np.arange(64)[:, None] % 2, 3.0, 0.4)
    return np.log1p(np.random.default_rng(0).poisson(rate)).astype(np.float32)


def train(devices: int) -> dict[str, np.ndarray]:
    """What comes out, by name."""
    cells = values()
    out = {}
    for name, config in CONFIGS.items():
        for batches in (None, BATCHES):
            found = run(config, cells, batches=batches, device="cpu", devices=devices, progress=False)
            key = f"{name}{'' if batches is None else ' batches'}"
            out |= {f"{key} loss": found.history["loss"], f"{key} embedding": found.embedding}
    return out


def diverge(devices: int) -> str:
    """What a training is ended by whose loss is soon no number."""
    config = replace(CONFIGS["clear"], learning_rate=1e30, gradient_clip=None)
    try:
        with together():
            run(config, values(), device="cpu", devices=devices, progress=False)
    except FloatingPointError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    result = train(int(sys.argv[1]))
    file = sys.argv[2 + dist.get_rank()]
    np.savez(file, **result, error=diverge(int(sys.argv[1])))
