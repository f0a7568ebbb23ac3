"""Options that many functions take, and what is refused of them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, TypeGuard


def check_key_added(key_added: object, *, or_none: bool = False) -> None:
    """Refuse names that no file could hold; None may stand for the usual ones.

    Raises
    ------
    ValueError
        Where the name is empty, no string, or has a slash in it.
    """
    if key_added is None and or_none:
        return
    if not isinstance(key_added, str) or not key_added or "/" in key_added:
        msg = f"`key_added` must be a name without '/'; found {key_added!r}."
        raise ValueError(msg)


def check_random_state(random_state: int) -> int:
    """Return a seed that NumPy, scikit-learn and torch all take.

    Raises
    ------
    ValueError
        Where it is no whole number of 32 bits.
    """
    if not is_whole(random_state) or not 0 <= random_state < 2**32:
        msg = f"`random_state` must be a whole number from 0 to 2**32 - 1; found {random_state!r}."
        raise ValueError(msg)
    return int(random_state)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number, and no switch: True is 1 to Python."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_whole(least: int, **options: Any) -> None:
    """Refuse options that are no whole numbers of at least `least`.

    Raises
    ------
    ValueError
        Where one is not.
    """
    for name, value in options.items():
        if not is_whole(value) or value < least:
            msg = f"`{name}` must be a whole number of at least {least}; found {value!r}."
            raise ValueError(msg)


def check_share(**options: Any) -> None:
    """Refuse options that are no numbers from 0 to 1.

    Raises
    ------
    ValueError
        Where one is not.
    """
    for name, value in options.items():
        if not isinstance(value, Real) or not 0 <= float(value) <= 1:
            msg = f"`{name}` must be between 0 and 1; found {value!r}."
            raise ValueError(msg)
