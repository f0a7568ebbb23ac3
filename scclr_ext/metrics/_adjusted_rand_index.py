from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.metrics import adjusted_rand_score

from scclr_ext.metrics._checks import as_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def adjusted_rand_index(labels_true: ArrayLike, labels_pred: ArrayLike) -> float:
    """Agreement of two partitions, corrected for chance (ARI).

    Counts the pairs of cells on which the two partitions agree (together in both, or apart in both), and rescales
    that count so that random labels score 0 in expectation and identical partitions score 1 (Hubert & Arabie, 1985,
    *Journal of Classification* 2:193, equation 5). The names of the labels do not matter, nor does the order of the
    two arguments.

    Parameters
    ----------
    labels_true
        Reference labels, one per cell, shape (n_cells,).
    labels_pred
        Labels to judge, shape (n_cells,).

    Returns
    -------
    A number from -0.5 to 1, without unit.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, are not one-dimensional or miss labels.
    TypeError
        If one of them is no sequence.

    Examples
    --------
    >>> from scclr_ext.metrics import adjusted_rand_index
    >>> adjusted_rand_index(["B", "B", "T", "T"], [7, 7, 3, 3])
    1.0
    >>> round(adjusted_rand_index(["B", "B", "T", "T"], [0, 0, 1, 2]), 3)
    0.571
    """
    true = as_codes(labels_true, "labels_true")
    pred = as_codes(labels_pred, "labels_pred", n_cells=len(true))
    return float(adjusted_rand_score(true, pred))
