from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.metrics import normalized_mutual_info_score

from scclr_ext.metrics._checks import as_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def normalized_mutual_info(labels_true: ArrayLike, labels_pred: ArrayLike) -> float:
    """Information two partitions share, as a fraction of what they hold (NMI).

    The mutual information divided by the arithmetic mean of the two entropies (Strehl & Ghosh, 2002, *JMLR* 3:583,
    with the arithmetic mean that scikit-learn uses). There is no correction for chance: many small clusters score
    above 0 even when they are random, so read it beside :func:`~scclr_ext.metrics.adjusted_rand_index`.

    Parameters
    ----------
    labels_true
        Reference labels, one per cell, shape (n_cells,).
    labels_pred
        Labels to judge, shape (n_cells,).

    Returns
    -------
    A number from 0 (independent) to 1 (identical up to names), without unit. Two partitions of one cluster each
    are identical and score 1.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, are not one-dimensional or miss labels.
    TypeError
        If one of them is no sequence.

    Examples
    --------
    >>> from scclr_ext.metrics import normalized_mutual_info
    >>> normalized_mutual_info(["B", "B", "T", "T"], [7, 7, 3, 3])
    1.0
    >>> round(normalized_mutual_info(["B", "B", "T", "T"], [0, 0, 1, 2]), 3)
    0.8
    """
    true = as_codes(labels_true, "labels_true")
    pred = as_codes(labels_pred, "labels_pred", n_cells=len(true))
    # Rounding may end a hair outside the range.
    return min(1.0, max(0.0, float(normalized_mutual_info_score(true, pred))))
