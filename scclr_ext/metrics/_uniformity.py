from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from scclr_ext._checks import check_random_state
from scclr_ext.metrics._checks import as_representation, check_sample_size
from scclr_ext.metrics._normalize import l2_normalize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def uniformity(
    representation: ArrayLike,
    *,
    t: float = 2.0,
    sample_size: int | None = 2048,
    random_state: int = 0,
) -> float:
    """How evenly the cells cover the unit sphere: log of the mean Gaussian potential over pairs.

    `log mean exp(-t * |x - y|^2)` over all pairs of different cells, rows scaled to length 1 (Wang & Isola, 2020,
    ICML, section 4.1).

    Parameters
    ----------
    representation
        Dense matrix, shape (n_cells, n_dims), at least two cells.
    t
        Sharpness of the potential, above 0; the paper uses 2.
    sample_size
        With more cells than this, the pairs among this many randomly drawn cells are used: time and memory grow with
        its square. `None` takes all.
    random_state
        Seed of that sample.

    Returns
    -------
    A number from -4 t (which only cells at opposite poles approach) to 0 (all cells in the same direction), without
    unit; lower is more even. Cells spread evenly over a sphere of many dimensions give about -2 t. A row of zeros
    has no direction and stays at the origin.

    Raises
    ------
    ValueError
        If there are fewer than two cells, the matrix is not finite, `t` is not above 0 or `sample_size` is below 2.
    TypeError
        If the matrix is sparse or not numeric, or `sample_size` is not a whole number.

    Examples
    --------
    >>> from scclr_ext.metrics import uniformity
    >>> uniformity([[1.0, 0.0], [-1.0, 0.0]])
    -8.0
    >>> uniformity([[1.0, 0.0], [5.0, 0.0]])
    0.0
    """
    matrix = as_representation(representation)
    check_sample_size(sample_size)
    random_state = check_random_state(random_state)
    if not isinstance(t, Real) or not t > 0:
        msg = f"`t` is {t!r}; give a number above 0."
        raise ValueError(msg)
    if len(matrix) < 2:
        msg = "`representation` has one cell; uniformity is about pairs, so give at least two."
        raise ValueError(msg)
    if sample_size is not None and len(matrix) > sample_size:
        rng = np.random.default_rng(random_state)
        matrix = matrix[np.sort(rng.choice(len(matrix), size=sample_size, replace=False))]
    rows = l2_normalize(matrix)
    squares = np.einsum("ij,ij->i", rows, rows)
    total, n_pairs = 0.0, len(rows) * (len(rows) - 1) / 2
    # In blocks of rows, so that all cells of a large set never ask for an n x n matrix.
    step = max(1, min(_BLOCK, _PAIRS // len(rows)))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        potential = squares[block, None] + squares[None, start:]
        potential -= 2 * rows[block] @ rows[start:].T
        np.clip(potential, 0, None, out=potential)
        potential *= -t
        np.exp(potential, out=potential)
        total += float(np.triu(potential, k=1).sum())
    return float(np.log(total / n_pairs)) + 0.0


_BLOCK, _PAIRS = 1024, 2**25
