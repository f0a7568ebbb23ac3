"""The cells a training sees: which they are, where they are kept, which of them share a minibatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from scclr_ext.engine.hold import hold, pieces_of
from scclr_ext.engine.moments import Moments, gene_moments, mean_and_sd
from scclr_ext.engine.pools import PooledSource, Pools
from scclr_ext.engine.prefetch import prefetch
from scclr_ext.engine.sampling import Sampler, Shuffled, WithinBatches, join_small
from scclr_ext.engine.source import as_source

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from scclr_ext.engine._random import Seeds
    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.engine.source import Rows, Source

_POOLS = 4
"""Pools that would fit into memory: one is in use, one is being read, and reading needs room."""


class TrainingSet(NamedTuple):
    """What is trained on.

    Parameters
    ----------
    cells
        Their rows in the matrix, ascending.
    matrix
        Their values, float32 ``(cells, genes)``; None where they do not fit into memory.
    mean, std
        Moments of each gene over them.
    batches
        Batch of each; None where there are fewer than two.
    source
        Hands out minibatches.
    sampler
        Says which cells share one.
    """

    cells: NDArray[np.int64]
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array | None
    mean: np.ndarray
    std: np.ndarray
    batches: NDArray[np.int64] | None
    source: Source
    sampler: Sampler


def training_set(
    config: MethodConfig,
    matrix: Rows,
    batches: NDArray[np.int64] | None,
    seeds: Seeds,
    device: torch.device,
    *,
    max_bytes: float,
    progress: bool,
) -> TrainingSet:
    """Choose the cells and read them into memory; those that do not fit are read again in every epoch.

    Parameters
    ----------
    config
        Says how long the training is, and in which minibatches.
    matrix
        All cells.
    batches
        Batch of each.
    seeds
        The run's generators.
    device
        Where minibatches go.
    max_bytes
        Memory for the values of cells that are read from elsewhere.
    progress
        Show a progress bar.

    Raises
    ------
    ValueError
        Where the cells do not fit into memory, and the method looks neighbours up among them.
    """
    cells = _choose(config, matrix.shape[0], seeds)
    seen = None if batches is None else batches[cells]
    n, size, drop_last = len(cells), config.batch_size, config.drop_last
    if seen is not None:
        seen = join_small(seen, size)
    if seen is not None and len(np.unique(seen)) < 2:
        seen = None  # one batch is no batch
    groups = None if seen is None else WithinBatches(seen, size, drop_last=drop_last)
    held = hold(matrix, cells, max_bytes, progress=progress)
    if held.matrix is not None:
        sampler: Sampler = groups or Shuffled(n, size, drop_last=drop_last)
        mean, std = gene_moments(held.matrix)
        return TrainingSet(cells, held.matrix, mean, std, seen, as_source(held.matrix, device), sampler)

    if config.wants_components(batched=seen is not None):
        neighbors = config.stand_in_probability(batched=seen is not None) > 0
        wanted = "looks neighbours up among them" if neighbors else "starts from their principal components"
        msg = (
            f"The {n} cells of the training do not fit into the {max_bytes / 1e9:.3g} GB of "
            f"`scclr_ext.settings.max_memory`, and this method {wanted}. Raise that, use fewer "
            "genes, train for fewer steps (`n_steps` instead of `n_epochs`), which needs fewer cells, or give a config "
            "that does not (for example ClearConfig(neighbor_probability=0, cross_batch_probability=0))."
        )
        raise ValueError(msg)
    moments = Moments(matrix.shape[1])
    pieces = pieces_of(cells, matrix.shape[1])
    for block in prefetch(matrix.read, pieces, description="Means" if progress else None):
        moments.add(block)
    pooled = PooledSource(matrix, cells, device)
    pools = Pools(
        pooled,
        [torch.arange(n)] if groups is None else groups.groups,
        size,
        held.n_fitting // _POOLS,
        batches=None if groups is None else groups.batches,
        drop_last=drop_last,
    )
    return TrainingSet(cells, None, *mean_and_sd(moments), seen, pooled, pools)


def _choose(config: MethodConfig, n_cells: int, seeds: Seeds) -> NDArray[np.int64]:
    """All cells, or as many random ones as a step budget can show: more would only cost time and memory."""
    budget = n_cells if config.steps is None else config.steps * config.batch_size
    if budget >= n_cells:
        return np.arange(n_cells)
    return np.sort(torch.randperm(n_cells, generator=seeds.order)[:budget].numpy())
