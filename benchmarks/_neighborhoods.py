"""What the nearest neighbours of cells say of types and batches."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

FEWEST = 20
"""Of a type with fewer cells nothing is asked."""
_NEIGHBORS = 15


def neighborhoods(rep: np.ndarray, types: np.ndarray, batches: np.ndarray) -> dict[str, float]:
    """Means over the types that one batch has, and over those that several have.

    `alone`: share of the nearest neighbours of a cell of the former that are of its type. `shared`: the same for the
    latter. `mixed`: how many of those are of another batch, over what chance would give; 1 is fully mixed. NaN where
    there is no such type.
    """
    near = NearestNeighbors(n_neighbors=_NEIGHBORS).fit(rep).kneighbors(return_distance=False)
    same = types[near] == types[:, None]
    other = batches[near] != batches[:, None]
    alone, shared, mixed = [], [], []
    for name in np.unique(types):
        cells = types == name
        counts = np.unique(batches[cells], return_counts=True)[1]
        if cells.sum() < FEWEST:
            continue
        if len(counts) == 1:
            alone.append(same[cells].mean())
            continue
        shared.append(same[cells].mean())
        by_chance = 1 - ((counts / counts.sum()) ** 2).sum()
        mixed.append(other[cells][same[cells]].mean() / by_chance)
    scores = {"alone": alone, "shared": shared, "mixed": mixed}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in scores.items()}
