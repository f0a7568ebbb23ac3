"""A method's settings from plain values, nothing taken on trust."""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from scclr_ext.engine.methods import METHODS
from scclr_ext.io._error import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scclr_ext.engine.config import MethodConfig

_MOST_LAYERS = 32
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
    settings: dict[str, Any] = {name: _convert(values[name], hints[name], name) for name in values}
    settings |= {name: None for name in names - set(values) if NoneType in get_args(hints[name])}
    try:
        return kind(**settings)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"The model's settings cannot work: {error}"
        raise ModelError(msg) from error


def _convert(value: Any, hint: Any, name: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        if value is None:
            return None
        (inner,) = (arg for arg in args if arg is not NoneType)
        return _convert(value, inner, name)
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    if origin is Literal and isinstance(value, str) and value in args:
        return value
    if hint in {bool, str} and isinstance(value, hint):
        return value
    if hint is int and number and isinstance(value, int) and abs(value) < _LARGEST_WHOLE:
        return value
    if hint is float and number:
        return float(value)
    if origin is tuple and isinstance(value, list) and len(value) <= _MOST_LAYERS:
        return tuple(_convert(item, args[0], name) for item in value)
    msg = f"The model's setting {name!r} has a value that it cannot have: {str(value)[:50]!r}."
    raise ModelError(msg)
