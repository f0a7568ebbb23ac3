"""One run from matrix to embedding: build the method, fit it, embed the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scclr_ext.engine._random import Seeds
from scclr_ext.engine.device import device_of, make_fabric
from scclr_ext.engine.fit import embed, fit
from scclr_ext.engine.methods import DataInfo, Method, build
from scclr_ext.engine.sampling import Sampler, Shuffled, WithinBatches
from scclr_ext.engine.source import as_source, gene_moments

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

    from scclr_ext.engine.config import MethodConfig


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
    """
    where = device_of(device)
    seeds = Seeds.from_random_state(random_state, where)
    data = DataInfo(matrix.shape[0], *gene_moments(matrix))
    method = build(config, data, seeds.weights)
    source = as_source(matrix, where)
    sampler: Sampler = (
        Shuffled(data.n_cells, config.batch_size, drop_last=config.drop_last)
        if batches is None
        else WithinBatches(batches, config.batch_size)
    )
    history = fit(method, source, sampler, fabric=make_fabric(where), seeds=seeds, progress=progress)
    return Run(embed(method, source), history, method, data, str(where))
