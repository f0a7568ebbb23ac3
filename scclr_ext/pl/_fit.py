"""Whether a map or a graph that is there is of an embedding: no name in the AnnData tells, since keys are reused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from scipy import sparse
from sklearn.metrics.pairwise import paired_distances
from sklearn.neighbors import NearestNeighbors

from scclr_ext.engine.threads import same_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS, _NEIGHBORS, _ROUNDS = 3000, 15, 60
_AS_GOOD = 0.9
"""Share of the neighbours after the rounds. With 200 cells or more, UMAPs of this embedding had 0.92 or more, whatever
their parameters and where most cells were taken away, and UMAPs of a PCA or of another seed 0.88 or less. With fewer,
all show much the same neighbours."""
_EDGES, _EXACT = 5000, 0.01


def map_fits(representation: NDArray[Any], xy: NDArray[Any]) -> bool:
    """Tell whether a map shows the neighbours in an embedding as well as a UMAP of it does.

    A UMAP that starts from this map moves cells towards their neighbours. Where that wins next to nothing, the map was
    made of this embedding, or shows it as if it were. Two maps of one embedding differ, but not in this.
    """
    if xy.ndim != 2 or not np.isfinite(xy).all() or not np.ptp(xy, axis=0).all():
        return False
    cells = np.random.default_rng(0).permutation(len(xy))[:_CELLS]
    representation, xy = representation[cells], xy[cells]
    nearest = _nearest(representation)
    better = run_umap(representation, start=xy, rounds=_ROUNDS)
    return _shared(nearest, _nearest(xy)) >= _AS_GOOD * _shared(nearest, _nearest(better))


def graph_fits(adata: AnnData, representation: NDArray[Any]) -> bool:
    """Tell whether the default neighbour graph has the distances that cells have in an embedding."""
    record = adata.uns.get("neighbors")
    if not isinstance(record, Mapping) or not {"connectivities_key", "distances_key", "params"} <= set(record):
        return False
    metric = record["params"].get("metric", "euclidean")
    if metric not in {"euclidean", "cosine", "manhattan"} or not {*_graph_keys(record)} <= set(adata.obsp):
        return False
    # Turned as it is, the user's matrix would be marked as looked at.
    stored = sparse.csr_matrix(adata.obsp[record["distances_key"]]).tocoo()
    edges = np.random.default_rng(0).permutation(stored.nnz)[:_EDGES]
    if not len(edges):
        return False
    found = paired_distances(representation[stored.row[edges]], representation[stored.col[edges]], metric=metric)
    # Approximate searches round, and some cells may coincide.
    return bool(np.median(np.abs(found - stored.data[edges])) <= _EXACT * np.median(found))


def run_umap(
    representation: NDArray[Any],
    graph_of: AnnData | None = None,
    *,
    start: NDArray[Any] | None = None,
    rounds: int | None = None,
) -> NDArray[Any]:
    """Make a UMAP aside, from the default graph of an AnnData or one of its own."""
    names = pd.RangeIndex(len(representation)).astype(str)
    aside = AnnData(obs=pd.DataFrame(index=names), obsm={"rep": representation})
    if graph_of is None:
        with same_threads():
            sc.pp.neighbors(aside, n_neighbors=min(_NEIGHBORS, len(representation) - 1), use_rep="rep")
    else:
        record = graph_of.uns["neighbors"]
        aside.uns["neighbors"] = {**record, "params": {**record["params"], "use_rep": "rep"}}
        for name in _graph_keys(record):
            aside.obsp[name] = graph_of.obsp[name].copy()
    if start is not None:
        aside.obsm["start"] = start
    sc.tl.umap(aside, init_pos="spectral" if start is None else "start", maxiter=rounds)
    return np.asarray(aside.obsm["X_umap"])


def _graph_keys(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["connectivities_key"], record["distances_key"]


def _nearest(points: NDArray[Any]) -> NDArray[np.int64]:
    # In a set of a few cells all are neighbours: that would fit anything.
    n = max(1, min(_NEIGHBORS, len(points) // 4))
    return NearestNeighbors(n_neighbors=n).fit(points).kneighbors(return_distance=False)


def _shared(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    return float((a[:, :, None] == b[:, None, :]).any(axis=2).mean())
