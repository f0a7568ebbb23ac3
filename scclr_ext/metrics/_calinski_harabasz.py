from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import calinski_harabasz_score

from scclr_ext.metrics._checks import as_codes, as_representation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def calinski_harabasz(representation: ArrayLike, labels: ArrayLike) -> float:
    """Variance between clusters over variance within them, each per degree of freedom.

    The variance ratio criterion (Caliński & Harabasz, 1974, *Communications in Statistics* 3:1). It needs no
    pairwise distances, so a million cells cost little; but it grows with the number of cells, so compare it only
    between clusterings of the same cells.

    Parameters
    ----------
    representation
        Dense matrix, shape (n_cells, n_dims).
    labels
        Cluster of each cell, of any type, shape (n_cells,).

    Returns
    -------
    A number of at least 0, without unit and without upper limit; larger is better. Clusters without any spread
    score infinity where they lie apart, and 0 where all cells coincide.

    Raises
    ------
    ValueError
        If there are not at least 2 and at most n_cells - 1 clusters, if lengths differ, or if the representation
        is not a finite matrix.
    TypeError
        If the representation is sparse or not numeric.

    Examples
    --------
    >>> from scclr_ext.metrics import calinski_harabasz
    >>> calinski_harabasz([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"])
    200.0
    """
    matrix = as_representation(representation).astype(np.float64, copy=False)
    codes = as_codes(labels, "labels", n_cells=len(matrix))
    n_clusters = int(codes.max()) + 1
    if not 2 <= n_clusters < len(codes):
        msg = (
            f"`labels` has {n_clusters} different labels for {len(codes)} cells; "
            "the score needs at least 2 and fewer than there are cells."
        )
        raise ValueError(msg)
    # Without any spread inside the clusters scikit-learn answers 1, which would read as the worst score.
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(n_clusters))
    lowest, highest = (f.reduceat(matrix[order], starts) for f in (np.minimum, np.maximum))
    if np.array_equal(lowest, highest):
        return 0.0 if (matrix == matrix[0]).all() else float("inf")
    return float(calinski_harabasz_score(matrix, codes))
