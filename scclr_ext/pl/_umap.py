"""Two coordinates per cell for a figure, without a trace in the AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOST_CELLS = 50_000
FEWEST_CELLS = 10


class Coordinates(NamedTuple):
    """Where some or all cells are drawn."""

    cells: np.ndarray
    xy: np.ndarray
    name: str


def umap_coordinates(adata: AnnData, obsm_key: str) -> Coordinates:
    """Take the UMAP that is there, or make one of this embedding on the side."""
    n_neighbors_rep = _graph_representation(adata)
    cells = np.arange(adata.n_obs)
    # Random order, so that no group is painted over another; a fixed seed, so that the figure stays the same.
    drawn = np.random.default_rng(0).permutation(cells)[:MOST_CELLS]
    # A UMAP beside a graph of another representation was most likely made from that one, say PCA.
    if "X_umap" in adata.obsm and n_neighbors_rep in {None, obsm_key}:
        return Coordinates(drawn, np.asarray(adata.obsm["X_umap"])[drawn, :2], "UMAP")
    representation = np.asarray(adata.obsm[obsm_key])
    if adata.n_obs < FEWEST_CELLS:
        return Coordinates(cells, _principal_axes(representation), "PC")
    if adata.n_obs > MOST_CELLS:
        return Coordinates(drawn, _umap(representation[drawn]), "UMAP")
    graph = adata.uns["neighbors"] if n_neighbors_rep == obsm_key else None
    xy = _umap(representation, graph, None if graph is None else adata)
    return Coordinates(drawn, xy[drawn], "UMAP")


def _graph_representation(adata: AnnData) -> str | None:
    """Name what the default neighbour graph was made of; None without a graph."""
    if "neighbors" not in adata.uns:
        return None
    # scanpy records nothing where it chose PCA or X by itself.
    return str(adata.uns["neighbors"].get("params", {}).get("use_rep", "X_pca"))


def _umap(
    representation: np.ndarray, graph: Mapping[str, Any] | None = None, adata: AnnData | None = None
) -> np.ndarray:
    names = pd.RangeIndex(len(representation)).astype(str)
    aside = AnnData(obs=pd.DataFrame(index=names), obsm={"rep": representation})
    if graph is None or adata is None:
        sc.pp.neighbors(aside, n_neighbors=min(15, len(representation) - 1), use_rep="rep")
    else:
        for name in ("connectivities", "distances"):
            aside.obsp[name] = adata.obsp[graph.get(f"{name}_key", name)].copy()
        params = {**graph["params"], "use_rep": "rep"}
        aside.uns["neighbors"] = {
            "connectivities_key": "connectivities",
            "distances_key": "distances",
            "params": params,
        }
    sc.tl.umap(aside)
    return np.asarray(aside.obsm["X_umap"])


def _principal_axes(representation: np.ndarray) -> np.ndarray:
    centred = representation - representation.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    xy = np.zeros((len(centred), 2))
    n_axes = min(2, len(values))
    xy[:, :n_axes] = left[:, :n_axes] * values[:n_axes]
    return xy
