"""One of the repeated runs: embed, cluster, and keep only what is small."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from scclr_ext._settings import settings
from scclr_ext.engine.diagnostics import find_collapse
from scclr_ext.engine.run import run
from scclr_ext.metrics import (
    adjusted_rand_index,
    calinski_harabasz,
    effective_rank,
    normalized_mutual_info,
    silhouette,
)
from scclr_ext.tl._clustering.find_clusters import find_clusters
from scclr_ext.tl._graph import neighbor_graph

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.tl._clustering.find_clusters import ClusterOptions
    from scclr_ext.tl._embedding.model_input import ModelInput

_SILHOUETTE_CELLS = 2_000
"""The only step whose time and memory grow with the square of the cells."""


class SeedRun(NamedTuple):
    """What one seed gave."""

    labels: NDArray[np.int64]
    neighbors: sparse.csr_array
    """One where the column is among the row's nearest neighbours, shape ``(cells, cells)``."""
    scores: dict[str, float]
    problem: str | None


def run_once(
    config: MethodConfig,
    data: ModelInput,
    options: ClusterOptions,
    *,
    known: pd.Categorical | None,
    device: str,
    precision: str,
    random_state: int,
    progress: bool,
) -> SeedRun:
    """Embed and cluster the cells with one seed.

    Parameters
    ----------
    config, data
        The method and what it reads.
    options
        How to cluster.
    known
        Labels to compare the clusters with.
    device, precision, random_state, progress
        As in :func:`scclr_ext.tl.contrastive_embed`.
    """
    result = run(
        config,
        data.matrix,
        batches=data.batches,
        device=device,
        precision=precision,
        random_state=random_state,
        progress=progress,
        max_bytes=settings.max_bytes,
    )
    data.check_again()
    rep = result.embedding
    work = neighbor_graph(rep, "X", options.n_neighbors, random_state)
    graph = work.obsp["connectivities"]
    labels = find_clusters(rep, graph, options, batches=data.batches, random_state=random_state).labels
    scores: dict[str, float] = {
        "n_clusters": float(labels.max() + 1),
        "final_loss": float(result.history["loss"][-1]),
        "effective_rank": effective_rank(rep),
    }
    several = 1 < labels.max() + 1 < len(labels)
    scores["silhouette"] = (
        silhouette(rep, labels, sample_size=_SILHOUETTE_CELLS, random_state=random_state) if several else np.nan
    )
    scores["calinski_harabasz"] = calinski_harabasz(rep, labels) if several else np.nan
    if known is not None:
        scores |= _against(known, labels)
    return SeedRun(
        labels,
        _pattern(work.obsp["distances"]),
        scores,
        find_collapse(rep, result.history),
    )


def _pattern(distances: sparse.csr_matrix) -> sparse.csr_array:
    ones = np.ones(len(distances.indices), dtype=np.int32)
    return sparse.csr_array((ones, distances.indices, distances.indptr), shape=distances.shape)


def _against(known: pd.Categorical, labels: NDArray[np.int64]) -> dict[str, float]:
    labelled = known.codes >= 0
    truth, found = known.codes[labelled], labels[labelled]
    return {"ari": adjusted_rand_index(truth, found), "nmi": normalized_mutual_info(truth, found)}
