from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.metrics._silhouette_samples import silhouette_samples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def silhouette(
    representation: ArrayLike,
    labels: ArrayLike,
    *,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: int = 0,
) -> float:
    """Average the silhouette width of all cells (ASW): how compact and how far apart the clusters are.

    The mean over cells of :func:`~scclr_ext.metrics.silhouette_samples` (Rousseeuw, 1987). With `sample_size` it is
    estimated from a sample that takes equally many cells from each cluster, weighted back to the clusters' sizes.

    Parameters
    ----------
    representation
        Dense matrix, shape (n_cells, n_dims).
    labels
        Cluster or cell type of each cell, of any type, shape (n_cells,).
    metric
        Name of a distance that scikit-learn knows, such as `"euclidean"` or `"cosine"`.
    sample_size
        Score about this many cells at most; time and memory grow with its square. `None` takes all cells.
    random_state
        Seed of the sample.

    Returns
    -------
    A number from -1 to 1, without unit; above 0 the average cell is nearer to its own cluster than to any other.

    Raises
    ------
    ValueError
        If there are not at least 2 and at most n_cells - 1 clusters, if lengths differ, if the representation is not
        a finite matrix, or for an invalid `metric` or `random_state`.
    TypeError
        If the representation is sparse or not numeric, or `sample_size` is not a whole number.

    Examples
    --------
    >>> from scclr_ext.metrics import silhouette
    >>> round(silhouette([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"]), 3)
    0.9
    """
    samples = silhouette_samples(
        representation, labels, metric=metric, sample_size=sample_size, random_state=random_state
    )
    return float(np.dot(samples.weights, samples.values))
