"""A method's settings from plain values, nothing taken on trust."""

from __future__ import annotations

from dataclasses import fields
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from scclr_ext.engine.methods import METHODS
from scclr_ext.io._error import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scclr_ext.engine.config import MethodConfig

_MOST_LAYERS, _LONGEST_WORD = 32, 50
_LARGEST_WHOLE, _LARGEST = 2**31, 1e38


def config_from(method: str, values: Mapping[str, Any]) -> MethodConfig:
    """Build the config of a method from what :meth:`MethodConfig.record` said.

    A setting that is left out is None where it may be None, as `record` has it, else the method's default: it is
    then younger than the record.

    Raises
    ------
    ModelError
        For an unknown method or setting, a value of the wrong type, or one the method refuses.
    """
    if method not in METHODS:
        known = ", ".join(map(repr, METHODS))
        msg = f"The model's method {method[:50]!r} is not known here (known: {known}); update scclr_ext."
        raise ModelError(msg)
    kind = METHODS[method].config
    hints = get_type_hints(kind)
    names = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        msg = f"The model has a setting {unknown[0][:50]!r} that {method!r} does not have here; update scclr_ext."
        raise ModelError(msg)
    settings: dict[str, Any] = {name: _checked(name, value) for name, value in values.items()}
    settings |= {name: None for name in names - set(values) if NoneType in get_args(hints[name])}
    try:
        return kind(**settings)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"The model's settings cannot work: {error}"
        raise ModelError(msg) from error


def _checked(name: str, value: Any) -> Any:
    """Return a setting that is plain and no larger than any ever used; the config says what else it must be."""
    several = value if isinstance(value, list) else [value]
    if len(several) > _MOST_LAYERS or not all(_fits(item) for item in several):
        msg = f"The model's setting {name!r} has a value that it cannot have: {str(value)[:50]!r}."
        raise ModelError(msg)
    return value


def _fits(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_WORD
    if isinstance(value, int | float):
        return abs(value) < (_LARGEST_WHOLE if isinstance(value, int) else _LARGEST)
    return value is None
