"""Ways to cut an embedding into clusters, and all the ways there are, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
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

from scclr_ext.tl._clustering.communities import leiden, louvain

if TYPE_CHECKING:
    from collections.abc import Callable

    from scclr_ext.tl._clustering.communities import Labels

_MANY_CELLS = 50_000
"""Above this, k-means works on minibatches."""
_ALL_PAIRS = 20_000
"""Up to here Ward's method takes all pairs of cells, 1.6 GB; beyond, those that the neighbour graph connects."""
_SUBCLUSTERS = 2_000
"""More than these Birch does not merge, if it can be helped."""
_BISECTIONS = 12
_BANDWIDTH_SAMPLE = 1_000
_SHIFTED_SAMPLE = 200
"""Cells that MeanShift starts from where there are many: of a mode with 2 % of the cells they miss one in fifty."""
_ROUNDING = 1e-5
"""Distances that are smaller, beside the values themselves, may be none in single precision."""
_THREAD = 1e-6
"""Next to nothing: the weights of a neighbour graph go up to 1."""


def _k_means(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    large = len(rep) > _MANY_CELLS
    model = MiniBatchKMeans if large else KMeans
    return model(k, n_init=10, random_state=seed).fit_predict(rep)


def _ward(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    connectivity = _in_one_piece(graph) if len(rep) > _ALL_PAIRS else None
    return AgglomerativeClustering(k, linkage="ward", connectivity=connectivity).fit_predict(rep)


def _birch(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    # Double precision: on some processors OpenBLAS's single-precision product of a matrix of five columns reads beyond
    # them, and NumPy then warns of an invalid value that is in no result. (Cooper Lake's kernel, OpenBLAS 0.3.31.)
    rep = rep.astype(np.float64)
    # The threshold is a distance: halve it, from the overall spread, until there are enough subclusters to merge.
    coarse = fine = float(np.sqrt(rep.var(axis=0).sum())) or 1.0
    tree = Birch(n_clusters=None, threshold=fine).fit(rep)
    while len(tree.subcluster_centers_) < k and fine > np.finfo(np.float32).eps:
        coarse, fine = fine, fine / 2
        tree = Birch(n_clusters=None, threshold=fine).fit(rep)
    # In many dimensions one step leads from a few to nearly all cells, of which all pairs would be compared.
    for _ in range(_BISECTIONS):
        if len(tree.subcluster_centers_) <= max(k, _SUBCLUSTERS):
            break
        middle = (coarse + fine) / 2
        other = Birch(n_clusters=None, threshold=middle).fit(rep)
        if len(other.subcluster_centers_) < k:
            coarse = middle
        else:
            fine, tree = middle, other
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
    bandwidth = max(bandwidth, _ROUNDING * float(np.abs(rep).max()))  # cells that coincide do so but for rounding
    seeds = None  # every cell
    if len(rep) > _BANDWIDTH_SAMPLE:
        # A sample of them. Not scikit-learn's bins: in 60 dimensions no cell may be near the corner it is rounded to.
        seeds = rep[np.random.default_rng(seed).choice(len(rep), min(len(rep), _SHIFTED_SAMPLE), replace=False)]
    return MeanShift(bandwidth=bandwidth or None, seeds=seeds).fit_predict(rep)


def _spectral(rep: np.ndarray, graph: Any, k: int, seed: int) -> Labels:
    if k >= len(rep):  # as many eigenvectors as cells SciPy does not give
        return np.arange(len(rep))
    model = SpectralClustering(k, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    return model.fit_predict(_in_one_piece(graph))


def _in_one_piece(graph: Any) -> Any:
    """Let parts of a graph that nothing connects hang together by threads.

    Of a graph in pieces scikit-learn warns, and Ward's method compares all cells of each with all of the others.
    """
    n_parts, part = connected_components(graph, directed=False)
    first = np.unique(part, return_index=True)[1]
    threads = sparse.coo_matrix((np.full(n_parts - 1, _THREAD), (first[:-1], first[1:])), shape=graph.shape)
    return (graph + threads + threads.T).tocsr()


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
