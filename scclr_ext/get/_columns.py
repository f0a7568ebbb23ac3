"""Tables from the columns that a record holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def table_of(columns: Mapping[str, Any], first: Sequence[str]) -> pd.DataFrame:
    """Put columns in a table, those in `first` before the others: a file gives all back in alphabetical order."""
    known = [name for name in first if name in columns]
    return pd.DataFrame({name: np.atleast_1d(columns[name]) for name in [*known, *sorted(set(columns) - set(known))]})
