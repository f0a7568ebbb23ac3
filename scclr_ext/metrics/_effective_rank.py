from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.metrics._singular_values import singular_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def effective_rank(representation: ArrayLike) -> float:
    """How many directions the representation uses, counted by their share.

    The exponential of the entropy of the singular values of the centred matrix, divided by their sum (Roy &
    Vetterli, 2007, EUSIPCO, definition 1): k equally strong directions count as k, weak ones as a fraction.

    Parameters
    ----------
    representation
        Dense matrix, shape (n_cells, n_dims).

    Returns
    -------
    A number from 1 to min(n_cells - 1, n_dims), in directions; 0 where all cells coincide, since then there is
    no direction at all.

    Raises
    ------
    ValueError
        If the matrix is empty or not finite.
    TypeError
        If the matrix is sparse or not numeric.

    Examples
    --------
    >>> from scclr_ext.metrics import effective_rank
    >>> round(effective_rank([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 6)
    2.0
    >>> effective_rank([[3.0, 4.0], [3.0, 4.0]])
    0.0
    """
    values = singular_values(representation)
    values = values[values > 0]
    if len(values) == 0:
        return 0.0
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
