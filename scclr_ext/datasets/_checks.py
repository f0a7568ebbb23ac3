"""Refuse parameters of a simulation that make no sense."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext._checks import check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def at_least(smallest: float, **values: Any) -> None:
    """Refuse what is below a bound; whole numbers are asked for where the bound is one."""
    if isinstance(smallest, int):
        check_whole(smallest, **values)
        return
    for name, value in values.items():
        if not isinstance(value, Real) or not float(value) >= smallest:
            bound = "above 0" if 0 < smallest < 1 else f"of at least {smallest:g}"
            msg = f"`{name}` must be a number {bound}; found {value!r}."
            raise ValueError(msg)


def at_most(largest: float, **values: float) -> None:
    """Refuse numbers above a bound."""
    for name, value in values.items():
        if float(value) > largest:
            msg = f"`{name}` must be a number of at most {largest:g}; found {value!r}."
            raise ValueError(msg)


def finite(**values: Any) -> None:
    """Refuse what is no number, or an infinite one."""
    for name, value in values.items():
        if not isinstance(value, Real) or not np.isfinite(float(value)):
            msg = f"`{name}` must be a finite number; found {value!r}."
            raise ValueError(msg)


def probabilities(shares: Sequence[float] | None, n: int, path_from: Sequence[int] | None) -> NDArray[np.float64]:
    """Return the share of each group or path."""
    at_least(1, n_groups=n)
    if path_from is not None and len(path_from) != n:
        msg = f"`path_from` names {len(path_from)} paths, and `n_groups` is {n}; leave `n_groups` out."
        raise ValueError(msg)
    if shares is None:
        return np.full(n, 1 / n)
    values = np.asarray(shares, dtype=np.float64)
    if path_from is None and n == 1:
        n = values.size
    if values.shape != (n,) or not (values >= 0).all() or not np.isclose(values.sum(), 1):
        msg = f"`group_prob` must be {n} numbers of at least 0 that add up to 1; found {list(shares)!r}."
        raise ValueError(msg)
    return values / values.sum()


def counts_per_batch(sizes: Sequence[int] | None, n_batches: int, n_cells: int) -> NDArray[np.int64]:
    """Return how many cells each batch has."""
    at_least(1, n_batches=n_batches)
    if sizes is None:
        if n_batches > n_cells:
            msg = f"`n_batches` is {n_batches}, more than there are cells ({n_cells})."
            raise ValueError(msg)
        return np.diff(np.arange(n_batches + 1) * n_cells // n_batches)
    values = np.asarray(sizes)
    whole = values.ndim == 1 and values.dtype.kind in "iu" and (values >= 1).all()
    if not whole or values.sum() != n_cells or n_batches not in (1, values.size):
        msg = (
            f"`batch_cells` must be whole numbers of at least 1, one per batch, that add up to `n_cells` ({n_cells}); "
            f"found {list(sizes)!r} with `n_batches={n_batches}`."
        )
        raise ValueError(msg)
    return values.astype(np.int64)


def paths(path_from: Sequence[int] | None) -> list[int] | None:
    """Return where each path starts."""
    if path_from is None:
        return None
    sources = list(path_from)
    known = all(isinstance(source, Integral) and -1 <= source < i for i, source in enumerate(sources))
    if not sources or not known:
        msg = (
            "`path_from` must name, for each path, an earlier one (counted from 0) or -1 for the origin; "
            f"found {sources!r}."
        )
        raise ValueError(msg)
    return [int(source) for source in sources]


def per_group(n: int, **values: Any) -> list[NDArray[np.float64]]:
    """Spread single numbers over `n` groups, and check lists."""
    spread = []
    for name, value in values.items():
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" or array.shape not in ((), (n,)) or not np.isfinite(array).all():
            msg = f"`{name}` must be a number, or {n} of them; found {value!r}."
            raise ValueError(msg)
        if name.endswith("prob") and not ((array >= 0) & (array <= 1)).all():
            msg = f"`{name}` must be between 0 and 1; found {value!r}."
            raise ValueError(msg)
        if name.endswith("facscale") and not (array >= 0).all():
            msg = f"`{name}` must be at least 0; found {value!r}."
            raise ValueError(msg)
        spread.append(np.broadcast_to(array.astype(np.float64), (n,)))
    return spread
