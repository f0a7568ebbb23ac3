"""The resolution at which a graph method finds a wanted number of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_LOWEST, _HIGHEST = 1e-4, 100.0
_FINEST = 1e-4
"""Of the logarithm: no step of a real graph is as narrow, and each try cuts all cells."""


class Found(NamedTuple):
    """A resolution and its partition."""

    resolution: float
    labels: NDArray[np.int64]

    @property
    def n_clusters(self) -> int:
        """Number of clusters in the partition."""
        return int(self.labels.max()) + 1


def resolution_for(partition: Callable[[float], NDArray[np.int64]], n_clusters: int) -> Found:
    """Bisect the logarithm of the resolution until `partition` gives `n_clusters` clusters.

    The number of clusters grows with the resolution, if not strictly so; where no resolution tried gives exactly
    `n_clusters`, the nearest number found is returned.
    """
    low, middle, high = np.log(_LOWEST), 0.0, np.log(_HIGHEST)
    best = found = Found(1.0, partition(1.0))
    while found.n_clusters != n_clusters and high - low > _FINEST:
        low, high = (middle, high) if found.n_clusters < n_clusters else (low, middle)
        middle = (low + high) / 2
        found = Found(float(np.exp(middle)), partition(float(np.exp(middle))))
        best = min(best, found, key=lambda f: abs(f.n_clusters - n_clusters))
    return best
