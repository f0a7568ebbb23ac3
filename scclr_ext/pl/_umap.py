"""Two coordinates per cell for a figure, without a trace in the AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from scclr_ext.pl._fit import graph_fits, map_fits, run_umap
from scclr_ext.pl._style import shorten

if TYPE_CHECKING:
    from anndata import AnnData

MOST_CELLS = 50_000
FEWEST_CELLS = 10


class Coordinates(NamedTuple):
    """Where some or all cells are drawn."""

    cells: np.ndarray
    xy: np.ndarray
    name: str
    """What was drawn of what, for the title."""
    axis: str


def umap_coordinates(adata: AnnData, obsm_key: str) -> Coordinates:
    """Take the UMAP that is there if it shows this embedding, or make one on the side."""
    found = adata.obsm[obsm_key]
    representation = np.asarray(found.toarray() if sparse.issparse(found) else found)
    made_of = shorten(obsm_key)
    if adata.n_obs < FEWEST_CELLS:
        return Coordinates(np.arange(adata.n_obs), _principal_axes(representation), f"PCs of {made_of}", "PC")
    if "X_umap" in adata.obsm and map_fits(representation, np.asarray(adata.obsm["X_umap"])[:, :2]):
        return stored_umap(adata)
    drawn = _drawn(adata.n_obs)
    if adata.n_obs > MOST_CELLS:
        xy = run_umap(representation[drawn])
    else:
        xy = run_umap(representation, adata if graph_fits(adata, representation) else None)[drawn]
    return Coordinates(drawn, xy, f"UMAP of {made_of}", "UMAP")


def stored_umap(adata: AnnData) -> Coordinates:
    """Take the UMAP that is there, whatever it was made of."""
    drawn = _drawn(adata.n_obs)
    return Coordinates(drawn, np.asarray(adata.obsm["X_umap"])[drawn, :2], "X_umap", "UMAP")


def _drawn(n_cells: int) -> np.ndarray:
    """Draw cells in random order, so that no group is painted over another; with a fixed seed, the same each time."""
    return np.random.default_rng(0).permutation(n_cells)[:MOST_CELLS]


def _principal_axes(representation: np.ndarray) -> np.ndarray:
    centred = representation - representation.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    xy = np.zeros((len(centred), 2))
    n_axes = min(2, len(values))
    xy[:, :n_axes] = left[:, :n_axes] * values[:n_axes]
    return xy
