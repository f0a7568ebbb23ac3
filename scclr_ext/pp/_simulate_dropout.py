"""More zeros than were measured, to see what a method makes of them."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, writable
from scclr_ext._checks import check_random_state
from scclr_ext._docs import shared_docs
from scclr_ext._settings import report
from scclr_ext._values.deferred import deferred_record, still_deferred
from scclr_ext._values.matrix import chunks, get_matrix, name_of

if TYPE_CHECKING:
    from anndata import AnnData


@shared_docs
def simulate_dropout(
    adata: AnnData,
    rate: float,
    *,
    layer: str | None = None,
    random_state: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Set a share of the non-zero entries to zero, chosen at random.

    Cluster the cells before and after to learn how much a method relies on genes that a shallower experiment would
    have missed. Of all non-zero entries of the matrix exactly the share `rate`, rounded to a whole number, becomes
    zero, each set of that size with the same probability. The number of entries that a cell loses therefore follows
    a hypergeometric distribution, as in the experiments of CLEAR (Han et al., 2022).

    Parameters
    ----------
    {adata}
        Give counts, before :func:`scclr_ext.pp.contrastive_preprocess`: in scaled values a zero means nothing.
    rate
        Share of the non-zero entries to drop, at least 0 and below 1. CLEAR tried 0.1, 0.3, 0.6 and 0.8.
    {layer}
        The same layer is written; `X` and other layers stay as they are.
    random_state
        Seed. The same seed drops the same entries, however the values are stored.
    {copy}

    Returns
    -------
    None, or the changed copy. Written are

    `X`, or `layers[layer]`
        The values with fewer of them, in the type and format they had. Sparse matrices store no zeros afterwards.
    `uns["clr_dropout"]`
        What was done: `rate`, `n_nonzero` and `n_dropped` (entries), `layer`, `random_state`.

    Raises
    ------
    KeyError
        Where `layer` is missing.
    ValueError
        Where `rate` is not between 0 and 1, the values are scaled (negative), NaN or infinite, `adata` is backed by
        a file, or :func:`scclr_ext.pp.contrastive_preprocess` has left the normalising of the values to their readers.
    TypeError
        Where `adata` is no AnnData, or its values are not numbers in memory.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> adata = ad.AnnData(np.full((20, 50), 3.0, dtype="float32"))
    >>> clr.pp.simulate_dropout(adata, 0.3)
    >>> int((adata.X == 0).sum())
    300
    """
    check_adata(adata)
    if not isinstance(rate, Real) or not 0 <= float(rate) < 1:
        msg = f"`rate` must be a number of at least 0 and below 1; found {rate!r}."
        raise ValueError(msg)
    if adata.isbacked:
        msg = "adata is backed by a file, and its values are about to change; call adata.to_memory() first."
        raise ValueError(msg)
    random_state = check_random_state(random_state)
    where = name_of(layer)
    record = deferred_record(adata, layer or "X")
    if record is not None and still_deferred(adata, record, get_matrix(adata, layer), "counts"):
        msg = (
            f"The normalising of {where} was left to its readers, by the cells' sums as they are; call "
            "simulate_dropout before contrastive_preprocess."
        )
        raise ValueError(msg)
    values, n_nonzero, n_dropped = _drop(
        get_matrix(adata, layer), float(rate), np.random.default_rng(random_state), where=where
    )

    target = writable(adata, copy=copy)
    if layer is None:
        target.X = values
    else:
        target.layers[layer] = values
    target.uns[_keys.DROPOUT_UNS] = {
        "rate": float(rate),
        "n_nonzero": n_nonzero,
        "n_dropped": n_dropped,
        "layer": layer or "X",
        "random_state": random_state,
    }
    report(f"set {n_dropped} of {n_nonzero} non-zero entries of {where} to zero; see uns[{_keys.DROPOUT_UNS!r}]")
    return target if copy else None


def _drop(matrix: Any, rate: float, rng: np.random.Generator, *, where: str) -> tuple[Any, int, int]:
    """Make a copy with fewer entries; returned with it are the number of non-zero entries before, and of those lost."""
    if not sparse.issparse(matrix) and not isinstance(matrix, np.ndarray):
        msg = f"{where} is a {type(matrix).__name__}; read it into memory as a sparse matrix or an array first."
        raise TypeError(msg)
    if matrix.dtype.kind not in "buif":
        msg = f"{where} holds {matrix.dtype} values; numbers are needed."
        raise TypeError(msg)
    if sparse.issparse(matrix):
        # Sorted rows: the order in which a dense matrix is read, so that both lose the same entries.
        values = matrix.tocsr(copy=True)
        values.sum_duplicates()
        values.eliminate_zeros()
        _check(values, where)
        lost = _lottery(values.nnz, rate, rng)
        values.data[lost] = 0
        values.eliminate_zeros()
        return values.asformat(matrix.format), len(lost), int(lost.sum())
    values = np.array(np.ma.filled(matrix, 0), order="K", subok=False)
    _check(values, where)
    present = values != 0
    entries = values[present]
    lost = _lottery(len(entries), rate, rng)
    entries[lost] = 0
    values[present] = entries
    return values, len(lost), int(lost.sum())


def _check(values: Any, where: str) -> None:
    for part in chunks(values):
        if not np.isfinite(part).all():
            msg = f"{where} holds NaN or infinite values; remove or replace them first."
            raise ValueError(msg)
        if (part < 0).any():
            msg = (
                f"{where} has negative values, so it was scaled or otherwise transformed, and a zero in it is no "
                "missing value. Give raw counts (perhaps in another `layer`)."
            )
            raise ValueError(msg)


def _lottery(n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Mark exactly the share `rate` of `n` entries; a byte per entry, where drawn positions would take eight."""
    lost = np.zeros(n, dtype=bool)
    lost[: round(rate * n)] = True
    rng.shuffle(lost)
    return lost
