"""Between what an AnnData stores and what JSON holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scclr_ext.io._error import ModelError

_DEEPEST = 8


def plain(value: Any, *, depth: int = 0) -> Any:
    """Turn arrays and NumPy's numbers and strings into Python's; a number that is none becomes None.

    Raises
    ------
    ModelError
        For anything that JSON cannot hold, or that is nested too deeply.
    """
    if depth > _DEEPEST:
        msg = f"The record is nested more than {_DEEPEST} levels deep; this is no record of a model."
        raise ModelError(msg)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth=depth + 1) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    msg = f"The record holds a {type(value).__name__}, which a model's record never does."
    raise ModelError(msg)
