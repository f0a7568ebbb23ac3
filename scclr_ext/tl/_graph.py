"""The neighbour graph of an embedding."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import scanpy as sc
from anndata import AnnData
from scipy.sparse import SparseEfficiencyWarning, csr_matrix, issparse

from scclr_ext._anndata import names
from scclr_ext.engine.threads import same_threads

EXACT_CELLS = 50_000
"""Up to here the exact search takes seconds; beyond, scanpy's approximate one is quicker."""


def neighbor_graph(rep: np.ndarray, use_rep: str, n_neighbors: int, random_state: int) -> AnnData:
    """Build the graph with scanpy, in an AnnData of its own: whatever fails, the user's stays as it was."""
    work = AnnData(np.zeros((len(rep), 0), dtype=np.float32), obsm={use_rep: rep})
    with same_threads(), warnings.catch_warnings():
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


def stored_graph(adata: AnnData, neighbors_key: str, use_rep: str) -> csr_matrix:
    """Take the weights of a graph that `sc.pp.neighbors`, or a function that writes as it does, has left.

    Raises
    ------
    KeyError
        Where there is none of that name.
    ValueError
        Where it is of another embedding, or its weights are none.
    """
    if neighbors_key not in adata.uns:
        msg = f"`neighbors_key` {neighbors_key!r} is not in uns; found {names(adata.uns)}. Run sc.pp.neighbors first."
        raise KeyError(msg)
    record = adata.uns[neighbors_key]
    record = record if isinstance(record, Mapping) else {}
    weights_key = record.get("connectivities_key")
    if weights_key not in adata.obsp:
        msg = (
            f"uns[{neighbors_key!r}] does not name a graph in obsp (connectivities_key: {weights_key!r}); "
            "`neighbors_key` takes what sc.pp.neighbors writes."
        )
        raise KeyError(msg)
    made_of = use_rep
    if "params" in record:
        made_of = record["params"].get("use_rep", "X_pca")  # scanpy does not record its default
    if made_of != use_rep:
        msg = (
            f"The graph `neighbors_key` {neighbors_key!r} was built of {made_of!r}, not of `use_rep` {use_rep!r}. "
            f"Build one with sc.pp.neighbors(adata, use_rep={use_rep!r}), or give `use_rep={made_of!r}`."
        )
        raise ValueError(msg)
    graph = adata.obsp[weights_key]
    weights = csr_matrix(graph if issparse(graph) else np.asarray(graph), dtype=np.float32)
    if not (weights.data >= 0).all() or not np.isfinite(weights.data).all():
        msg = f"obsp[{weights_key!r}], the graph of `neighbors_key`, has weights that are negative, infinite or NaN."
        raise ValueError(msg)
    return weights
