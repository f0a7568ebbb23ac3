from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import silhouette_samples as sklearn_silhouette_samples

from scclr_ext._checks import check_random_state
from scclr_ext.metrics._checks import as_codes, as_representation, check_sample_size

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class SilhouetteSamples(NamedTuple):
    """Silhouette widths of some or all cells."""

    cells: np.ndarray
    """Rows of the representation that were scored, ascending, shape (n_scored,)."""
    values: np.ndarray
    """Their silhouette widths, from -1 to 1, shape (n_scored,)."""
    weights: np.ndarray
    """The share of all cells that each scored cell stands for; they sum to 1, shape (n_scored,)."""


def silhouette_samples(
    representation: ArrayLike,
    labels: ArrayLike,
    *,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: int = 0,
) -> SilhouetteSamples:
    """Measure how much nearer each cell is to its own cluster than to the next one.

    For a cell with mean distance `a` to the others of its cluster and smallest mean distance `b` to the cells of
    another cluster, the width is `(b - a) / max(a, b)`, and 0 for a cluster of one cell (Rousseeuw, 1987,
    *J. Comput. Appl. Math.* 20:53).

    Time and memory grow with the square of the number of cells. With `sample_size` the sample takes the same number
    of cells from every cluster, or all of it where a cluster has fewer: a rare cell type keeps its cells, and the
    mean distance to a cluster stays an unbiased estimate. `weights` undo the evening-out in averages over all cells.

    Parameters
    ----------
    representation
        Dense matrix, shape (n_cells, n_dims).
    labels
        Cluster of each cell, of any type, shape (n_cells,).
    metric
        Name of a distance that scikit-learn knows, such as `"euclidean"` or `"cosine"`.
    sample_size
        Score about this many cells at most. `None` scores all. Every cluster keeps two cells even where that
        exceeds the number.
    random_state
        Seed of the sample; the same seed draws the same cells.

    Returns
    -------
    Named tuple of `cells`, `values` and `weights`, all of shape (n_scored,).

    Raises
    ------
    ValueError
        If there are not at least 2 and at most n_cells - 1 clusters, if lengths differ, if the representation is not
        a finite matrix, or for an invalid `metric` or `random_state`.
    TypeError
        If the representation is sparse or not numeric, or `sample_size` is not a whole number.

    Examples
    --------
    >>> from scclr_ext.metrics import silhouette_samples
    >>> silhouette_samples([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"]).values.round(3)
    array([0.905, 0.895, 0.895, 0.905])
    """
    matrix = as_representation(representation)
    codes = as_codes(labels, "labels", n_cells=len(matrix))
    check_sample_size(sample_size)
    random_state = check_random_state(random_state)
    sizes = np.bincount(codes)
    if not 2 <= len(sizes) < len(codes):
        msg = (
            f"`labels` has {len(sizes)} different labels for {len(codes)} cells; "
            "a silhouette needs at least 2 and fewer than there are cells."
        )
        raise ValueError(msg)
    quota = sizes if sample_size is None else np.minimum(sizes, _cells_per_cluster(sizes, sample_size))
    cells = _sample(codes, quota, random_state)
    values = _widths(matrix[cells], codes[cells], metric)
    weights = (sizes / quota / len(codes))[codes[cells]]
    return SilhouetteSamples(cells, values, weights)


def _widths(matrix: np.ndarray, codes: np.ndarray, metric: str) -> np.ndarray:
    if metric == "euclidean":  # far from the origin distances would be rounding
        matrix = matrix - matrix.mean(axis=0)
    try:
        return np.asarray(sklearn_silhouette_samples(matrix, codes, metric=metric), dtype=np.float64)
    except ValueError as error:  # everything else was looked at before
        msg = f"`metric` is {metric!r}, which scikit-learn does not take here; 'euclidean' and 'cosine' always work."
        raise ValueError(msg) from error


def _cells_per_cluster(sizes: np.ndarray, sample_size: int) -> int:
    """Find the largest number of cells per cluster whose total stays within the sample."""
    low, high = 2, max(2, int(sizes.max()))
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(sizes, middle).sum() <= sample_size:
            low = middle
        else:
            high = middle - 1
    return low


def _sample(codes: np.ndarray, quota: np.ndarray, random_state: int) -> np.ndarray:
    shuffled = np.random.default_rng(random_state).permutation(len(codes))
    # A stable sort keeps the shuffled order inside each cluster, so its first `quota` cells are a random draw.
    by_cluster = shuffled[np.argsort(codes[shuffled], kind="stable")]
    sizes = np.bincount(codes)
    rank_in_cluster = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_cluster[rank_in_cluster < np.repeat(quota, sizes)])
