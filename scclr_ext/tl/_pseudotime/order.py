"""The order of cells along a graph, and what many graphs agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scanpy as sc
from anndata import AnnData
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

_N_DCS = 10
_CLOSEST_TO_ONE = 1e-6
"""Eigenvalues are single precision: nearer to 1 than this, the difference is rounding."""


class AgreedOrder(NamedTuple):
    """What several orders of the same cells agree on.

    `pseudotime` is from 0 (root) to 1, `spread` the interquartile range of a cell's place as a share of all cells, and
    `agreement` the mean Spearman correlation of two orders.
    """

    pseudotime: NDArray[np.float64]
    spread: NDArray[np.float64]
    agreement: float


def diffusion_distance(links: sparse.csr_matrix, root: int, random_state: int) -> NDArray[np.float64]:
    """Measure the diffusion pseudotime of every cell from the root (Haghverdi et al. 2016), from 0 to 1.

    `sc.tl.diffmap` does the work. The sum over its components is that of `sc.tl.dpt`, except that this takes the
    components with eigenvalues of 0.9994 and more for signs of a graph in pieces and all but drops them: in one piece
    they are what orders a long trajectory.

    Parameters
    ----------
    links
        Graph in one piece.
    root
        Where the time starts.
    random_state
        Seed.
    """
    work = AnnData(np.zeros((links.shape[0], 0), dtype=np.float32))
    work.obsp["connectivities"] = work.obsp["distances"] = links
    params = {"n_neighbors": 15, "method": "umap"}
    work.uns["neighbors"] = {
        "connectivities_key": "connectivities",
        "distances_key": "distances",
        "params": params,
    }
    sc.tl.diffmap(work, random_state=random_state)
    values = work.uns["diffmap_evals"][1:_N_DCS].astype(np.float64)
    components = work.obsm["X_diffmap"][:, 1:_N_DCS].astype(np.float64)
    steps = values / np.maximum(1 - values, _CLOSEST_TO_ONE)
    distance = np.sqrt((((components - components[root]) * steps) ** 2).sum(axis=1))
    longest = distance.max()
    return distance / longest if longest > 0 else distance


def agreed_order(orders: list[NDArray[np.float64]]) -> AgreedOrder:
    """Take the median place of each cell, and the mean distance that cells at that place have.

    Parameters
    ----------
    orders
        Pseudotimes of the same cells, each from 0 to 1.
    """
    values = np.array(orders)
    places = rankdata(values, axis=1)
    # Cells with the same median place stand in the order of their mean.
    order = np.lexsort((places.mean(axis=0), np.median(places, axis=0)))
    pseudotime = np.empty(values.shape[1])
    pseudotime[order] = np.sort(values, axis=1).mean(axis=0)
    low, high = np.quantile(places, [0.25, 0.75], axis=0)
    return AgreedOrder(pseudotime, (high - low) / values.shape[1], _agreement(places))


def _agreement(places: NDArray[np.float64]) -> float:
    if len(places) < 2 or not np.ptp(places, axis=1).all():
        return 1.0
    correlations = np.asarray(np.corrcoef(places))
    return float(correlations[np.triu_indices(len(places), k=1)].mean())
