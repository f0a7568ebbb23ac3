"""Optimiser and learning rate schedule of a config."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

if TYPE_CHECKING:
    from torch import nn

    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.engine.fit import Plan

_SGD_MOMENTUM = 0.9
_SHORTEST_CYCLE = 10
"""With fewer steps than this there is no room for a warm-up: the rate stays constant."""


def build_optimizer(model: nn.Module, config: MethodConfig) -> Optimizer:
    """Build the config's optimiser over the parameters that learn."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    shared: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        return SGD(parameters, momentum=_SGD_MOMENTUM, **shared)
    return {"adam": Adam, "adamw": AdamW}[config.optimizer](parameters, **shared)


def build_schedule(optimizer: Optimizer, config: MethodConfig, plan: Plan) -> LRScheduler:
    """Build the config's schedule; its `step` is called after every minibatch."""
    if config.schedule == "one-cycle" and plan.total_steps >= _SHORTEST_CYCLE:
        return OneCycleLR(
            optimizer,
            config.learning_rate,
            total_steps=plan.total_steps + 1,
            pct_start=config.warm_up,
            cycle_momentum=False,
        )
    if config.schedule == "cosine":
        horizon = config.schedule_epochs or math.ceil(plan.total_steps / plan.steps_per_epoch)

        def factor(step: int) -> float:
            epoch = min(step // plan.steps_per_epoch, horizon)  # the published programs change it once per epoch
            return config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * epoch / horizon)) / 2

        return LambdaLR(optimizer, factor)
    return LambdaLR(optimizer, lambda _: 1.0)
