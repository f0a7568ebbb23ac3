"""What speaks for a partition of an embedding, without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import cosine_distances

from scclr_ext.metrics import calinski_harabasz, silhouette
from scclr_ext.tl._clustering.separation import separation

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORST_CELLS = 0.1
"""Share of the cells; set as the constants of the choice."""
_FEWEST_CELLS, _SMALLEST_SHARE = 5, 0.003
"""Smaller clusters are too small to tell how far they are from others."""


class Criteria:
    """The criteria of partitions of the same cells; what several partitions share is looked at once.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    graph
        Its neighbour graph, ``(cells, cells)``.
    batches
        Batch of each cell, see :func:`~scclr_ext.tl._clustering.separation.separation`.
    sample
        Cells that silhouette and Calinski-Harabasz are computed of.
    random_state
        Seed of the cells that are looked at for the separation of two clusters.
    """

    def __init__(
        self,
        rep: np.ndarray,
        graph: sparse.csr_matrix,
        batches: NDArray[np.int64] | None,
        sample: NDArray[np.int64],
        random_state: int,
    ) -> None:
        self._rep, self._graph, self._batches = rep, graph, batches
        self._sample, self._apart = sample, cosine_distances(rep[sample])
        self._random_state = random_state
        self._separations: dict[tuple[tuple[int, int, int], ...], float] = {}

    def of(self, labels: NDArray[np.int64]) -> dict[str, float]:
        """Return the criteria of a partition: cluster of each cell, numbered from 0 without gaps."""
        n, k = len(labels), int(labels.max()) + 1
        member = sparse.csr_matrix((np.ones(n, dtype=np.float32), (np.arange(n), labels)), shape=(n, k))
        edges = np.asarray((member.T @ self._graph @ member).todense(), dtype=np.float64)
        degree = edges.sum(axis=1) / max(edges.sum(), 1e-12)
        sizes = np.bincount(labels, minlength=k)
        centroids = np.asarray(member.T @ self._rep) / sizes[:, None]
        depth = self._depth(labels, centroids, edges, sizes)
        # Clusters too small to tell speak for nothing: shreds of a population would else be judged by the others.
        depth = np.nan_to_num(depth, nan=0.0)
        order = np.argsort(depth, kind="stable")
        share, depth = sizes[order] / n, depth[order]
        some = labels[self._sample]
        curves = 1 < len(np.unique(some)) < len(some)
        return {
            "n_clusters": k,
            "modularity": float(np.trace(edges) / max(edges.sum(), 1e-12) - degree @ degree),
            "separation": float(share @ depth),
            "separation_q10": float(depth[np.searchsorted(np.cumsum(share), _WORST_CELLS)]),
            "calinski_harabasz": calinski_harabasz(self._rep[self._sample], some) if curves else np.nan,
            "silhouette": silhouette(self._apart, some, metric="precomputed") if curves else np.nan,
        }

    def _depth(
        self, labels: NDArray[np.int64], centroids: np.ndarray, edges: np.ndarray, sizes: NDArray[np.int64]
    ) -> np.ndarray:
        """Smallest separation of each cluster from its nearest ones; NaN for clusters too small to tell."""
        depth = np.full(len(sizes), np.nan)
        large = np.flatnonzero(sizes >= max(_FEWEST_CELLS, _SMALLEST_SHARE * len(labels)))
        if len(large) < 2:
            return depth
        cells = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
        names = [(len(c), int(c[0]), int(c.sum())) for c in cells]  # the same cells recur over resolutions
        for j in large:
            others = large[large != j]
            distance = ((centroids[others] - centroids[j]) ** 2).sum(axis=1)
            by_edges, by_distance = np.argsort(-edges[j, others], kind="stable"), np.argsort(distance, kind="stable")
            for i in sorted({*others[by_edges[:2]], *others[by_distance[:2]]}):
                low, high = (j, i) if names[j] <= names[i] else (i, j)
                key = (names[low], names[high])
                if key not in self._separations:
                    rng = np.random.default_rng(self._random_state)
                    self._separations[key] = separation(self._rep, cells[low], cells[high], rng, self._batches)
                depth[j] = np.nanmin([depth[j], self._separations[key]])
        return depth
