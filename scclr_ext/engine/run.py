"""One run from matrix to embedding: build the method, fit it, embed the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scclr_ext.engine._random import Seeds
from scclr_ext.engine.device import device_of, make_fabric
from scclr_ext.engine.fit import embed, fit
from scclr_ext.engine.methods import DataInfo, Method, build
from scclr_ext.engine.neighbors import mutual_neighbors, nearest_neighbors, principal_components
from scclr_ext.engine.sampling import Sampler, Shuffled, WithinBatches
from scclr_ext.engine.source import Subset, as_source, gene_moments

if TYPE_CHECKING:
    from scipy import sparse

    from scclr_ext.engine.config import MethodConfig

_FINISHING_CELLS = 4096
_FEWEST_NEIGHBORS, _CELLS_PER_NEIGHBOR = 3, 20
"""In a small data set many neighbours are not near: a twentieth of the cells at most, or three."""


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
    """

    embedding: np.ndarray
    history: dict[str, np.ndarray]
    method: Method[Any]
    data: DataInfo
    device: str


def run(
    config: MethodConfig,
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array,
    *,
    batches: np.ndarray | None = None,
    device: str = "auto",
    random_state: int = 0,
    progress: bool = True,
) -> Run:
    """Train a method on a matrix and embed its rows.

    Parameters
    ----------
    config
        The method and its settings.
    matrix
        Log-normalised values of the model's genes, float32 of shape ``(cells, genes)``, dense or sparse rows.
    batches
        Batch of each cell as integers, shape ``(cells,)``.
    device, random_state, progress
        As in :func:`scclr_ext.tl.contrastive_embed`.

    Raises
    ------
    FloatingPointError
        When the training diverges.
    """
    where = device_of(device)
    seeds = Seeds.from_random_state(random_state, where)
    data = DataInfo(matrix.shape[0], *gene_moments(matrix))
    cells = _training_cells(config, data.n_cells, seeds)
    seen = None if batches is None else batches[cells]
    if seen is not None and len(np.unique(seen)) < 2:
        seen = None  # one batch is no batch
    sampler: Sampler = (
        Shuffled(len(cells), config.batch_size, drop_last=config.drop_last)
        if seen is None
        else WithinBatches(seen, config.batch_size)
    )
    neighbors = None
    probability = config.neighbor_probability if seen is None else config.cross_batch_probability
    if probability > 0:
        rep, axes = principal_components(matrix[cells], data.mean, data.std, random_state)
        k = min(config.n_neighbors, max(_FEWEST_NEIGHBORS, len(cells) // _CELLS_PER_NEIGHBOR))
        neighbors = nearest_neighbors(rep, k) if seen is None else mutual_neighbors(rep, seen, k)
        data = data._replace(components=axes if seen is None else None)

    method = build(config, data, seeds.weights)
    source = as_source(matrix, where)
    shown = Subset(source, torch.from_numpy(cells))
    fabric = make_fabric(where)
    history = fit(
        method,
        shown,
        sampler,
        fabric=fabric,
        seeds=seeds,
        neighbors=neighbors,
        neighbor_probability=probability,
        progress=progress,
    )
    method.eval()
    method.finish(shown.rows(torch.randperm(len(cells), generator=seeds.order)[:_FINISHING_CELLS]))
    embedding = embed(method, source)
    if not np.isfinite(embedding).all():
        msg = "The training diverged in its last steps. Lower `learning_rate`, or use the method's default preset."
        raise FloatingPointError(msg)
    return Run(embedding, history, method, data, str(where))


def _training_cells(config: MethodConfig, n_cells: int, seeds: Seeds) -> np.ndarray:
    """All cells, or as many random ones as a step budget can show: more would only cost time and memory."""
    budget = n_cells if config.steps is None else config.steps * config.batch_size
    if budget >= n_cells:
        return np.arange(n_cells)
    return np.sort(torch.randperm(n_cells, generator=seeds.order)[:budget].numpy())
