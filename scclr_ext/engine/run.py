"""One run from matrix to embedding: build the method, fit it, embed the cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from scclr_ext.engine._random import Seeds
from scclr_ext.engine.checkpoint import Checkpoints, identify
from scclr_ext.engine.components import principal_components
from scclr_ext.engine.device import device_of, make_fabric, precision_of, training
from scclr_ext.engine.fit import embed, fit
from scclr_ext.engine.methods import DataInfo, Method, build
from scclr_ext.engine.neighbors import few_neighbors, nearest_neighbors
from scclr_ext.engine.partners import partners
from scclr_ext.engine.pools import PooledSource
from scclr_ext.engine.processes import from_first, gather_rows
from scclr_ext.engine.source import InMemory, as_source
from scclr_ext.engine.surroundings import usual_torch
from scclr_ext.engine.training_set import training_set

if TYPE_CHECKING:
    from pathlib import Path

    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.engine.source import Rows

_FINISHING_CELLS = 4096


@dataclass(frozen=True)
class Run:
    """What a run leaves behind.

    Parameters
    ----------
    embedding
        Float32, shape ``(cells, dimensions)``.
    history
        See :func:`~scclr_ext.engine.fit.fit`.
    method
        The trained networks.
    data
        What the method was told of the data.
    device
        Where the training ran.
    precision
        Of the encoder's products in the training.
    """

    embedding: np.ndarray
    history: dict[str, np.ndarray]
    method: Method[Any]
    data: DataInfo
    device: str
    precision: str = "float32"


@usual_torch()
def run(
    config: MethodConfig,
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array | Rows,
    *,
    batches: np.ndarray | None = None,
    device: str = "auto",
    devices: int = 1,
    num_nodes: int = 1,
    precision: str = "auto",
    random_state: int = 0,
    checkpoint_dir: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    max_bytes: float = np.inf,
) -> Run:
    """Train a method on a matrix and embed its rows.

    Parameters
    ----------
    config
        The method and its settings.
    matrix
        Log-normalised values of the model's genes, float32 of shape ``(cells, genes)``, dense or sparse rows, or
        something that reads them from elsewhere.
    batches
        Batch of each cell as integers, shape ``(cells,)``.
    device, devices, num_nodes, precision, random_state, checkpoint_dir, resume, progress
        As in :func:`scclr_ext.tl.contrastive_embed`.
    max_bytes
        Memory for the values of the training's cells, where they are read from elsewhere.

    Raises
    ------
    FloatingPointError
        When the training diverges.
    """
    fabric = make_fabric(device_of(device), devices=devices, num_nodes=num_nodes)
    where, rank = fabric.device, fabric.global_rank
    precision = precision_of(precision, where)
    seeds = Seeds.from_random_state(random_state, where, rank)
    everything = InMemory(matrix) if isinstance(matrix, np.ndarray) or sparse.issparse(matrix) else matrix
    shown = training_set(
        config, everything, batches, seeds, where, max_bytes=max_bytes, progress=progress and rank == 0
    )
    data = DataInfo(matrix.shape[0], shown.mean, shown.std)
    neighbors = None
    batched = shown.batches is not None
    probability = config.stand_in_probability(batched=batched)
    if config.wants_components(batched=batched) and shown.matrix is not None:
        rep, axes, weights = principal_components(shown.matrix, data.mean, data.std, random_state)
        k = few_neighbors(config.n_neighbors, len(rep))
        directions = None
        # Amid nothing but noise, cells near each other have nothing in common, and are not to be drawn together.
        if shown.batches is not None and weights.any():
            neighbors, turn = partners(rep, weights, shown.batches, k, random_state)
            axes = directions = (turn.T @ axes).astype(np.float32)
        elif weights.any():
            directions = weights[:, None] * axes
            if probability > 0:
                neighbors = nearest_neighbors(rep * weights if config.signal_neighbors else rep, k, random_state)
        if len(axes):
            # The networks may be given values as they are; a component of the standardised ones is one of theirs too.
            unit = np.float32(1) if config.scale else np.where(data.std > 0, data.std, 1).astype(np.float32)
            data = data._replace(components=axes / unit, directions=None if directions is None else directions / unit)

    checkpoints = None
    if checkpoint_dir is not None:
        name = identify(
            config,
            data.mean,
            data.std,
            batches,
            seed=random_state,
            n_cells=data.n_cells,
            processes=fabric.world_size,
            precision=precision,
            portion=shown.sampler.portion,
            device=where.type,
        )
        checkpoints = from_first(partial(Checkpoints, checkpoint_dir, name, resume=resume), fabric)
    method = build(config, data, seeds.weights)
    with training(precision):
        history = fit(
            method,
            shown.source,
            shown.sampler,
            fabric=fabric,
            seeds=seeds,
            neighbors=neighbors,
            neighbor_probability=probability,
            checkpoints=checkpoints,
            precision=precision,
            progress=progress and rank == 0,
        )
    method.eval()
    if isinstance(shown.source, PooledSource):
        shown.source.plan([])  # lets its pools go
    sample = torch.randperm(len(shown.cells), generator=seeds.order)[:_FINISHING_CELLS]
    method.finish(shown.source.rows(sample))
    all_held = shown.matrix is not None and len(shown.cells) == data.n_cells
    source = shown.source if all_held else as_source(everything, where)
    mine = torch.arange(data.n_cells).tensor_split(fabric.world_size)[rank]
    embedding = gather_rows(torch.from_numpy(embed(method, source, cells=mine)), data.n_cells, fabric).numpy()
    if not np.isfinite(embedding).all():
        msg = "The training diverged in its last steps. Lower `learning_rate`, or use the method's default preset."
        raise FloatingPointError(msg)
    return Run(embedding, history, method, data, str(where), precision)
