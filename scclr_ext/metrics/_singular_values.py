from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.metrics._checks import as_representation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def singular_values(representation: ArrayLike) -> np.ndarray:
    """Spectrum of a representation: the singular values of the centred matrix, largest first.

    A contrastive embedding can live in far fewer directions than it has dimensions; the singular values of the
    unused ones are then about zero (Jing et al., 2022, ICLR, section 3).

    Parameters
    ----------
    representation
        Dense matrix, shape (n_cells, n_dims).

    Returns
    -------
    Array of shape (min(n_cells, n_dims),), float64, in units of the representation; its squares divided by n_cells
    are the variances along the principal axes. What rounding alone would give counts as exactly 0.

    Raises
    ------
    ValueError
        If the matrix is empty or not finite.
    TypeError
        If the matrix is sparse or not numeric.

    Examples
    --------
    >>> from scclr_ext.metrics import singular_values
    >>> singular_values([[1.0, 5.0], [-1.0, 5.0]]).round(3)
    array([1.414, 0.   ])
    """
    matrix = as_representation(representation)
    n_cells, n_dims = matrix.shape
    mean = matrix.mean(axis=0, dtype=np.float64)
    if n_cells > max(_DIRECT_CELLS, n_dims):
        # The small n_dims x n_dims product instead of a second copy of a large matrix.
        gram = np.zeros((n_dims, n_dims))
        for start in range(0, n_cells, _DIRECT_CELLS):
            centred = matrix[start : start + _DIRECT_CELLS] - mean
            gram += centred.T @ centred
        values = np.sqrt(np.clip(np.linalg.eigvalsh(gram)[::-1], 0, None))
        relative = np.sqrt(np.finfo(np.float64).eps * n_dims)
    else:
        values = np.linalg.svd(matrix - mean, compute_uv=False)
        relative = np.finfo(np.float64).eps * max(n_cells, n_dims)
    # The rounding of the values that came in, not only of this computation, limits what is above zero.
    absolute = np.finfo(np.float64).eps * max(n_cells, n_dims) * float(np.abs(matrix).max())
    return np.where(values > max(relative * values[0], absolute), values, 0.0)


_DIRECT_CELLS = 20_000
