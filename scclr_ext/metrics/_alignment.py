from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.metrics._checks import as_representation
from scclr_ext.metrics._normalize import l2_normalize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def alignment(first: ArrayLike, second: ArrayLike) -> float:
    """Mean squared distance between two views of the same cells on the unit sphere.

    Row i of both matrices represents cell i seen through two augmentations; each row is scaled to length 1 and the
    squared Euclidean distances are averaged (Wang & Isola, 2020, ICML, section 4.1, with exponent 2).

    Parameters
    ----------
    first
        Representation of the first view, dense, shape (n_cells, n_dims).
    second
        Representation of the second view, the same shape.

    Returns
    -------
    A number from 0 (the augmentation changes nothing) to 4 (opposite), without unit; 2 is what unrelated,
    evenly spread representations give. A row of zeros has no direction and stays at the origin.

    Raises
    ------
    ValueError
        If the shapes differ or a matrix is not finite.
    TypeError
        If a matrix is sparse or not numeric.

    Examples
    --------
    >>> from scclr_ext.metrics import alignment
    >>> alignment([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 0.0]])
    1.0
    """
    one, two = as_representation(first, "first"), as_representation(second, "second")
    if one.shape != two.shape:
        msg = f"`first` has shape {one.shape} and `second` {two.shape}; row i of both must be the same cell."
        raise ValueError(msg)
    difference = l2_normalize(one) - l2_normalize(two)
    return float(np.einsum("ij,ij->i", difference, difference).mean())
