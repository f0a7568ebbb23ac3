"""Ways to cut an embedding, or its neighbour graph, into clusters."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import igraph
import numpy as np
import scanpy as sc
from anndata import AnnData
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import (
    AgglomerativeClustering,
    Birch,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
    SpectralClustering,
    estimate_bandwidth,
)
from sklearn.mixture import GaussianMixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Labels = NDArray[np.int64]

_MANY_CELLS = 50_000
"""Above this, k-means works on minibatches and Ward's method along the neighbour graph."""
_BANDWIDTH_SAMPLE = 1_000
_THREAD = 1e-6
"""Next to nothing: the weights of a neighbour graph go up to 1."""


def leiden(connectivities: sparse.csr_matrix, resolution: float, random_state: int) -> Labels:
    """Leiden communities of a neighbour graph, with the settings scanpy recommends."""
    graph = AnnData(np.zeros((connectivities.shape[0], 0), dtype=np.float32))
    sc.tl.leiden(
        graph,
        resolution=resolution,
        random_state=random_state,
        adjacency=connectivities,
        flavor="igraph",
        n_iterations=2,
        directed=False,
    )
    return graph.obs["leiden"].to_numpy().astype(np.int64)


def louvain(connectivities: sparse.csr_matrix, resolution: float, random_state: int) -> Labels:
    """Louvain communities (igraph's multilevel algorithm) of a neighbour graph."""
    upper = connectivities.tocoo()
    keep = upper.row < upper.col
    graph = igraph.Graph(
        n=connectivities.shape[0],
        edges=np.column_stack([upper.row[keep], upper.col[keep]]),
        edge_attrs={"weight": upper.data[keep]},
    )
    igraph.set_random_number_generator(random.Random(int(random_state)))
    try:
        parts = graph.community_multilevel(weights="weight", resolution=resolution)
    finally:
        igraph.set_random_number_generator(random)  # igraph's own default
    return np.array(parts.membership, dtype=np.int64)


def _k_means(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    large = len(rep) > _MANY_CELLS
    model = MiniBatchKMeans if large else KMeans
    return model(k, n_init=10, random_state=seed).fit_predict(rep)


def _ward(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    connectivity = graph if len(rep) > _MANY_CELLS else None
    return AgglomerativeClustering(k, linkage="ward", connectivity=connectivity).fit_predict(rep)


def _birch(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    # The threshold is a distance: halve it, from the overall spread, until there are enough subclusters to merge.
    threshold = float(np.sqrt(rep.var(axis=0).sum())) or 1.0
    tree = Birch(n_clusters=None, threshold=threshold).fit(rep)
    while len(tree.subcluster_centers_) < k and threshold > np.finfo(np.float32).eps:
        threshold /= 2
        tree = Birch(n_clusters=None, threshold=threshold).fit(rep)
    centers = tree.subcluster_centers_
    merged = AgglomerativeClustering(k).fit_predict(centers) if len(centers) > k else np.arange(len(centers))
    return merged[tree.predict(rep)]


def _gaussian_mixture(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    # Double precision and a floor on the variances: an embedding may have dimensions that hardly vary.
    values = rep.astype(np.float64)
    floor = 1e-3 * float(values.var(axis=0).mean()) + 1e-9
    return GaussianMixture(k, covariance_type="diag", reg_covar=floor, random_state=seed).fit_predict(values)


def _mean_shift(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    bandwidth = estimate_bandwidth(rep, n_samples=min(len(rep), _BANDWIDTH_SAMPLE), random_state=seed)
    return MeanShift(bandwidth=bandwidth or None, bin_seeding=len(rep) > _BANDWIDTH_SAMPLE).fit_predict(rep)


def _spectral(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    # Parts that nothing connects hang together by threads: scikit-learn warns of a graph in pieces.
    n_parts, part = connected_components(graph, directed=False)
    first = np.unique(part, return_index=True)[1]
    threads = sparse.coo_matrix((np.full(n_parts - 1, _THREAD), (first[:-1], first[1:])), shape=graph.shape)
    whole = (graph + threads + threads.T).tocsr()
    model = SpectralClustering(k, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    return model.fit_predict(whole)


class Clusterer(NamedTuple):
    """A method on the embedding; `takes_k` says whether it is told the number of clusters."""

    fit: Callable[[np.ndarray, Any, int, int], Labels]
    takes_k: bool = True


GRAPH_METHODS: dict[str, Callable[[Any, float, int], Labels]] = {"leiden": leiden, "louvain": louvain}
REP_METHODS: dict[str, Clusterer] = {
    "kmeans": Clusterer(_k_means),
    "ward": Clusterer(_ward),
    "birch": Clusterer(_birch),
    "gaussian-mixture": Clusterer(_gaussian_mixture),
    "mean-shift": Clusterer(_mean_shift, takes_k=False),
    "spectral": Clusterer(_spectral),
}


def by_size(labels: np.ndarray) -> Labels:
    """Renumber clusters so that 0 is the largest; ties go by first appearance."""
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -counts))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse].astype(np.int64)
