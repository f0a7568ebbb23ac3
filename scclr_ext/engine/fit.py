"""The training loop, the same for every method, and the pass that embeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from scclr_ext.engine.diagnostics import diagnose
from scclr_ext.engine.optim import build_optimizer, build_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning_fabric import Fabric
    from torch import Tensor

    from scclr_ext.engine._random import Seeds
    from scclr_ext.engine.methods import Method, StepOutput
    from scclr_ext.engine.neighbors import Neighbors
    from scclr_ext.engine.sampling import Sampler
    from scclr_ext.engine.source import Source

_RECORDS = 50
"""A training that is few epochs long is recorded this many times instead of once per epoch."""


class Plan(NamedTuple):
    """How long a training is."""

    total_steps: int
    steps_per_epoch: int

    @property
    def record_every(self) -> int:
        """Steps between two rows of the history: an epoch, or less where epochs are long."""
        return max(1, min(self.steps_per_epoch, self.total_steps // _RECORDS))


def fit(
    method: Method[Any],
    source: Source,
    sampler: Sampler,
    *,
    fabric: Fabric,
    seeds: Seeds,
    neighbors: Neighbors | None = None,
    neighbor_probability: float = 0.0,
    progress: bool = True,
) -> dict[str, np.ndarray]:
    """Train `method` in place.

    Parameters
    ----------
    method
        The networks and what a step is.
    source
        Hands out the cells.
    sampler
        Says which cells share a minibatch.
    fabric
        Device and precision.
    seeds
        The run's generators.
    neighbors
        Cells that may stand in for a cell's second view.
    neighbor_probability
        Chance that one of them does.
    progress
        Show a progress bar.

    Returns
    -------
    The history: arrays of one length, a row per epoch (or more often where epochs are long), with the columns
    `step`, `epoch`, `loss` (mean since the last row), `learning_rate`, and of the latest minibatch `alignment`,
    `uniformity` and `effective_rank`.

    Raises
    ------
    FloatingPointError
        When the loss is no longer a number.
    """
    config = method.config
    plan = Plan(config.total_steps(sampler.steps_per_epoch), sampler.steps_per_epoch)
    optimizer = build_optimizer(method, config)
    schedule = build_schedule(optimizer, config, plan)
    model, optimizer = fabric.setup(method, optimizer)
    model.train()

    history: list[dict[str, float]] = []
    losses: list[Tensor] = []
    minibatches = _forever(sampler, seeds)
    with tqdm(total=plan.total_steps, desc="Training", unit="step", disable=not progress, leave=False) as bar:
        for step in range(1, plan.total_steps + 1):
            index = next(minibatches)
            partner = None
            if neighbors is not None:
                partner = source.rows(neighbors.draw(index, neighbor_probability, seeds.order))
            batches = None if sampler.batches is None else sampler.batches[index].to(fabric.device)
            output = model(source.rows(index), seeds.views, partner, batches)
            optimizer.zero_grad()
            fabric.backward(output.loss)
            if config.gradient_clip is not None:
                fabric.clip_gradients(model, optimizer, max_norm=config.gradient_clip)
            rate = float(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            method.after_step()

            losses.append(output.loss.detach())
            if step % plan.record_every == 0 or step == plan.total_steps:
                history.append(_record(step, plan, losses, rate, output))
                bar.set_postfix(loss=f"{history[-1]['loss']:.3f}")
                losses.clear()
            bar.update()
    return {name: np.array([row[name] for row in history]) for name in history[0]}


@torch.no_grad()
def embed(method: Method[Any], source: Source, *, chunk_size: int = 4096) -> np.ndarray:
    """Embed every cell of `source` without distortion; float32 of shape ``(cells, dimensions)``.

    Cells pass in their own order, `chunk_size` at a time; batch normalisation uses its running statistics, so the
    result does not depend on the chunks.
    """
    method.eval()
    chunks = torch.arange(source.shape[0]).split(chunk_size)
    return np.concatenate([method.represent(source.rows(chunk)).float().cpu().numpy() for chunk in chunks])


def _forever(sampler: Sampler, seeds: Seeds) -> Iterator[Tensor]:
    while True:
        yield from sampler.epoch(seeds.order)


def _record(step: int, plan: Plan, losses: list[Tensor], learning_rate: float, output: StepOutput) -> dict[str, float]:
    loss = float(torch.stack(losses).mean())
    if not np.isfinite(loss):
        msg = (
            f"The loss became {loss} by step {step} of {plan.total_steps}: the training diverged. "
            "Lower `learning_rate`, or use the method's default preset."
        )
        raise FloatingPointError(msg)
    return {
        "step": step,
        "epoch": step / plan.steps_per_epoch,
        "loss": loss,
        "learning_rate": learning_rate,
        **diagnose(output.first.detach(), output.second.detach()),
    }
