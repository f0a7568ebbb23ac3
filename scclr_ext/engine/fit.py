"""The training loop, the same for every method, and the pass that embeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm.auto import tqdm

from scclr_ext.engine.device import encoding
from scclr_ext.engine.feed import Feed
from scclr_ext.engine.history import History, Plan
from scclr_ext.engine.optim import Cooling, build_optimizer, build_schedule
from scclr_ext.engine.prefetch import prefetch
from scclr_ext.engine.processes import connect, from_first
from scclr_ext.engine.queue import NO_BATCH
from scclr_ext.engine.source import moved
from scclr_ext.engine.stopping import Stability

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor

    from scclr_ext.engine._random import Seeds
    from scclr_ext.engine.checkpoint import Checkpoints
    from scclr_ext.engine.methods import Method
    from scclr_ext.engine.neighbors import Neighbors
    from scclr_ext.engine.sampling import Sampler
    from scclr_ext.engine.source import Source


def fit(
    method: Method[Any],
    source: Source,
    sampler: Sampler,
    *,
    fabric: Fabric,
    seeds: Seeds,
    neighbors: Neighbors | None = None,
    neighbor_probability: float = 0.0,
    precision: str = "float32",
    checkpoints: Checkpoints | None = None,
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
        Device, precision and processes.
    seeds
        The run's generators.
    neighbors
        Cells that may stand in for a cell's second view.
    neighbor_probability
        Chance that one of them does.
    precision
        Of the encoder's products; see :func:`~scclr_ext.engine.device.precision_of`.
    checkpoints
        Where the state is saved now and then, and taken up from.
    progress
        Show a progress bar.

    Returns
    -------
    The history: arrays of one length, a row per epoch (or more often where epochs are long), with the columns
    `step`, `epoch`, `loss` and `chance` (means since the last row), `learning_rate`, and of the latest minibatch
    `alignment`, `uniformity` and `effective_rank`; with early stopping also `stability`.

    Raises
    ------
    FloatingPointError
        When the loss is no longer a number.
    """
    config = method.config
    plan = Plan(config.total_steps(sampler.steps_per_epoch), sampler.steps_per_epoch)
    # Before the network is shared: that would be for nothing where a checkpoint is refused.
    saved = None if checkpoints is None else from_first(checkpoints.load, fabric)
    connect(method, fabric)
    optimizer = build_optimizer(method, config, fused=fabric.device.type in {"cpu", "cuda"})
    schedule = build_schedule(optimizer, config, plan)
    model, fabric_optimizer = fabric.setup(method, optimizer)
    model.train()

    history, cooling = History(plan), Cooling(plan.total_steps)
    feed = Feed(source, sampler, seeds.order, fabric, neighbors=neighbors, neighbor_probability=neighbor_probability)
    stability = Stability(source.shape[0], seeds.order) if config.early_stopping else None
    parts = [method, optimizer, schedule, history, feed, cooling, *([stability] if stability else [])]
    step = _take_up(saved, parts, seeds, fabric)
    bar = tqdm(total=plan.total_steps, desc="Training", unit="step", initial=step, disable=not progress, leave=False)
    with bar, feed:
        while step < cooling.end:
            step += 1
            minibatch = feed.take(more=step < cooling.end)
            batches = _batches(minibatch.index, sampler, neighbors, fabric.device)
            with encoding(precision, fabric.device):
                output = model(minibatch.cells, seeds.views, minibatch.partners, batches)
            fabric_optimizer.zero_grad()
            fabric.backward(output.loss)
            if config.gradient_clip is not None:
                fabric.clip_gradients(model, fabric_optimizer, max_norm=config.gradient_clip, error_if_nonfinite=False)
            rate = float(schedule.get_last_lr()[0])
            if stability is not None:
                rate *= cooling.factor(step)
                for group in optimizer.param_groups:
                    group["lr"] = rate
            fabric_optimizer.step()
            schedule.step()
            method.after_step()
            history.add(output)
            bar.update()
            if step % plan.record_every and step < cooling.end:
                continue

            looks = {}
            if stability is not None:
                looks["stability"] = float("nan")
                if stability.due(step):
                    method.eval()
                    method.finish(source.rows(stability.cells))  # what is looked at is what would be handed out
                    looks["stability"] = stability.look(embed(method, source, cells=stability.cells))
                    model.train()
                if fabric.broadcast(stability.steady):
                    cooling.begin(step)
                    bar.total = cooling.end
            row = history.record(step, rate, output, **looks)
            bar.set_postfix(loss=f"{row['loss']:.3f}")
            if checkpoints is not None and (fabric.broadcast(checkpoints.due) or step == cooling.end):
                state = _state(step, parts, seeds, fabric)
                if fabric.is_global_zero:
                    checkpoints.save(state)
    return history.columns()


@torch.no_grad()
def embed(method: Method[Any], source: Source, *, cells: Tensor | None = None, chunk_size: int = 4096) -> np.ndarray:
    """Embed cells of `source` without distortion; float32 of shape ``(cells, dimensions)``.

    All cells, or those at `cells`, pass in their own order, `chunk_size` at a time; batch normalisation uses its
    running statistics, so the result does not depend on the chunks.
    """
    method.eval()
    cells = torch.arange(source.shape[0]) if cells is None else cells
    ahead = prefetch(source.rows, cells.split(chunk_size))
    return np.concatenate([method.represent(rows).float().cpu().numpy() for rows in ahead])


def _state(step: int, parts: list[Any], seeds: Seeds, fabric: Fabric) -> dict[str, Any]:
    views: list[Any] = [seeds.views.get_state()]  # the one generator that differs between processes
    if fabric.world_size > 1:
        views = [None] * fabric.world_size
        torch.distributed.all_gather_object(views, seeds.views.get_state())
    return {"step": step, "parts": [part.state_dict() for part in parts], "views": views}


def _batches(index: Tensor, sampler: Sampler, neighbors: Neighbors | None, device: torch.device) -> Tensor | None:
    """Of which batch the cells are, for the choice of negatives.

    Of none where a cell has no partners: other batches lack its type, and it may be told from all of their cells.
    """
    if sampler.batches is None:
        return None
    batches = sampler.batches[index]
    if neighbors is not None:
        batches = torch.where(neighbors.any(index), batches, NO_BATCH)
    return moved(batches, device)


def _take_up(state: dict[str, Any] | None, parts: list[Any], seeds: Seeds, fabric: Fabric) -> int:
    if state is None:
        return 0
    for part, saved in zip(parts, state["parts"], strict=True):
        part.load_state_dict(saved)
    seeds.views.set_state(state["views"][fabric.global_rank])
    return int(state["step"])
