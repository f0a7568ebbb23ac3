"""Optimiser and learning rate schedule of a config."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

if TYPE_CHECKING:
    from torch import nn

    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.engine.history import Plan

_SGD_MOMENTUM = 0.9
_SHORTEST_CYCLE = 10
"""With fewer steps than this there is no room for a warm-up: the rate stays constant."""
_COOLING = 0.25
"""Steps over which the rate falls at the end, as a share of those before."""
_LONGEST_WARM_UP = 60


def build_optimizer(model: nn.Module, config: MethodConfig, *, fused: bool = True) -> Optimizer:
    """Build the config's optimiser over the parameters that learn.

    `fused` takes a step in one pass over the parameters, up to ten times faster; not every device has it.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    shared: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "fused": fused}
    if config.optimizer == "sgd":
        return SGD(parameters, momentum=_SGD_MOMENTUM, **shared)
    return {"adam": Adam, "adamw": AdamW}[config.optimizer](parameters, **shared)


def build_schedule(optimizer: Optimizer, config: MethodConfig, plan: Plan) -> LRScheduler:
    """Build the config's schedule; its `step` is called after every minibatch."""
    one_cycle = config.schedule == "one-cycle" and plan.total_steps >= _SHORTEST_CYCLE
    if one_cycle and not config.early_stopping:
        # A warm-up of one step exactly would be divided by its length, which PyTorch counts as none.
        single = config.warm_up * (plan.total_steps + 1) == 1
        return OneCycleLR(
            optimizer,
            config.learning_rate,
            total_steps=plan.total_steps + 1,
            pct_start=math.nextafter(config.warm_up, 1) if single else config.warm_up,
            cycle_momentum=False,
        )
    if one_cycle:  # its fall would have to know the end: it is the cooling that brings the rate down
        length = min(_LONGEST_WARM_UP, math.ceil(config.warm_up * plan.total_steps))
        return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / length))
    if config.schedule == "cosine":
        # The published programs change it once per epoch; a training told its steps may be shorter than one.
        turn = plan.steps_per_epoch if config.steps is None else 1
        horizon = math.ceil(plan.total_steps / turn)
        if config.schedule_epochs:
            horizon = config.schedule_epochs * plan.steps_per_epoch // turn

        def factor(step: int) -> float:
            done = min(step // turn, horizon) / horizon
            return config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * done)) / 2

        return LambdaLR(optimizer, factor)
    return LambdaLR(optimizer, lambda _: 1.0)


class Cooling:
    """Ends a training early: from when it is told to, the rate falls to zero in a straight line.

    Parameters
    ----------
    total_steps
        The end, unless it is told of an earlier one; the rate cools towards this one too.
    """

    def __init__(self, total_steps: int) -> None:
        self.start = math.floor(total_steps / (1 + _COOLING))
        self.end = total_steps

    def begin(self, step: int) -> None:
        """Begin to cool after `step`, unless that has begun."""
        if step < self.start:
            self.start, self.end = step, min(self.end, step + max(_SHORTEST_CYCLE, math.ceil(_COOLING * step)))

    def factor(self, step: int) -> float:
        """Share of the schedule's rate with which `step`, counted from 1, is taken."""
        return min(1.0, (self.end - step + 1) / (self.end - self.start + 1))

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint has to keep."""
        return {"start": self.start, "end": self.end}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take up from a checkpoint."""
        self.start, self.end = state["start"], state["end"]
