"""A training step beside the matrix products that nobody can do without, and beside the published way of drawing views.

The products are those of the encoder's linear layers: query and key forward, and of the query the gradients of its
weights and of its hidden layers; where views lack genes in every cell, of the genes they have. The step is everything
the training loop does for a minibatch: fetch the cells from a sparse matrix, scale, draw both views, both encoders,
loss, gradients, optimiser, momentum encoder, queue.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import nn

from benchmarks.speed.clock import fastest
from benchmarks.speed.published import ClearLoop, ClearLoopAsPublished, ContrastiveSCLoop
from scclr_ext.engine._random import Seeds
from scclr_ext.engine.device import encoding
from scclr_ext.engine.history import Plan
from scclr_ext.engine.methods import METHODS, DataInfo, build
from scclr_ext.engine.moments import gene_moments
from scclr_ext.engine.optim import build_optimizer, build_schedule
from scclr_ext.engine.source import as_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from scclr_ext.engine.config import MethodConfig

CELLS, GENES, BATCH, DENSITY = 4096, 2000, 512, 0.1
PRESETS: dict[str, MethodConfig] = {
    "clear (code): 2000-1024-128": METHODS["clear"].presets["code"],
    "clear (paper): both directions": METHODS["clear"].presets["paper"],
    "clear (default): 2000-256-128": METHODS["clear"].presets["default"],
    "scclr: 2000-256-64 and a head": METHODS["scclr"].presets["default"],
    "contrastive-sc (code): 2000-200-40-60": METHODS["contrastive-sc"].presets["code"],
}
AS_PUBLISHED = {"clear (code): 2000-1024-128": ClearLoopAsPublished}
LOOPS = {"clear (code): 2000-1024-128": ClearLoop, "contrastive-sc (code): 2000-200-40-60": ContrastiveSCLoop}


class Timed(NamedTuple):
    """What takes turns."""

    step: Callable[[], object]
    step_bf16: Callable[[], object]
    products: Callable[[], object]


def matrix() -> sparse.csr_matrix:
    """Values of the size of log-normalised expression, a tenth of them not zero."""
    return sparse.random(CELLS, GENES, density=DENSITY, format="csr", dtype="float32", random_state=0)


def training_step(config: MethodConfig, values: sparse.csr_matrix) -> Timed:
    """Build a method and return one step of its training, and its products alone."""
    seeds = Seeds.from_random_state(0, torch.device("cpu"))
    method = build(config, DataInfo(CELLS, *gene_moments(values)), seeds.weights)
    method.train()
    optimizer = build_optimizer(method, config)
    schedule = build_schedule(optimizer, config, Plan(10_000, CELLS // BATCH))
    source = as_source(values, torch.device("cpu"))

    def step(precision: str = "float32") -> None:
        index = torch.randperm(CELLS, generator=seeds.order)[:BATCH]
        with encoding(precision, torch.device("cpu")):
            output = method(source.rows(index), seeds.views)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        schedule.step()
        method.after_step()

    return Timed(step, partial(step, "bf16"), products(method, config))


def products(method: nn.Module, config: MethodConfig) -> Callable[[], None]:
    """Return a function that does the matrix products of one step and nothing else."""
    with_key = hasattr(method, "key")
    layers = [layer for name, layer in method.named_modules() if isinstance(layer, nn.Linear) and "key" not in name]
    directions = 2 if getattr(config, "symmetric", False) or not with_key else 1
    widths = [layer.in_features for layer in layers]
    if hasattr(method, "subset"):
        widths[0] = len(method.subset.kept(widths[0], torch.Generator()))
    inputs = [torch.randn(BATCH, width) for width in widths]
    gradients = [torch.randn(BATCH, layer.out_features) for layer in layers]
    weights = [layer.weight.detach()[:, :width].clone() for layer, width in zip(layers, widths, strict=True)]

    def run() -> None:
        for _ in range(directions):
            for i, (x, gradient, weight) in enumerate(zip(inputs, gradients, weights, strict=True)):
                x @ weight.T
                if with_key:
                    x @ weight.T
                gradient.T @ x
                if i > 0:
                    gradient @ weight

    return run


def measure(*, turns: int, threads: int = 1) -> pd.DataFrame:
    """Time the steps of the presets, in milliseconds and as ratios."""
    torch.set_num_threads(threads)
    values = matrix()
    rows = {}
    for name, preset in PRESETS.items():
        timed = training_step(replace(preset, batch_size=BATCH), values)
        alternatives = {"step": timed.step, "bf16": timed.step_bf16, "products": timed.products}
        if name in LOOPS:
            alternatives["loop"] = LOOPS[name](replace(preset, batch_size=BATCH), values).step
        if name in AS_PUBLISHED:
            alternatives["as published"] = AS_PUBLISHED[name](replace(preset, batch_size=BATCH), values).step
        best = fastest(alternatives, turns=turns, threads=threads)
        rows[name] = {
            "products, ms": best["products"] * 1e3,
            "step, ms": best["step"] * 1e3,
            "step / products": best["step"] / best["products"],
            "step in bf16, ms": best["bf16"] * 1e3,
            "views cell by cell as published, ms": best.get("as published", np.nan) * 1e3,
            "as published / step": best.get("as published", np.nan) / best["step"],
            "with the quickest calls, ms": best.get("loop", np.nan) * 1e3,
            "quickest / step": best.get("loop", np.nan) / best["step"],
        }
    return pd.DataFrame(rows).T
