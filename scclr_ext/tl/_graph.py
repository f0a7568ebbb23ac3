"""The neighbour graph of an embedding."""

from __future__ import annotations

import warnings

import numpy as np
import scanpy as sc
from anndata import AnnData
from scipy.sparse import SparseEfficiencyWarning

EXACT_CELLS = 50_000
"""Up to here the exact search takes seconds; beyond, scanpy's approximate one is quicker."""


def neighbor_graph(rep: np.ndarray, use_rep: str, n_neighbors: int, random_state: int) -> AnnData:
    """Build the graph with scanpy, in an AnnData of its own: whatever fails, the user's stays as it was."""
    work = AnnData(np.zeros((len(rep), 0), dtype=np.float32), obsm={use_rep: rep})
    with warnings.catch_warnings():
        # scanpy's own way to fill in cells that coincide; nobody needs to act
        warnings.simplefilter("ignore", SparseEfficiencyWarning)
        sc.pp.neighbors(
            work,
            n_neighbors=min(n_neighbors, len(rep) - 1),
            use_rep=use_rep,
            transformer="sklearn" if len(rep) <= EXACT_CELLS else None,
            random_state=random_state,
        )
    return work
