"""Labels as categories, in the order in which people count."""

from __future__ import annotations

import pandas as pd
from natsort import natsorted


def categories_of(column: pd.Series) -> pd.Categorical:
    """Read a column of labels as categories that occur; naturally sorted unless it is categorical already."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical(column).remove_unused_categories()
    return pd.Categorical(column, categories=natsorted(column.dropna().unique()))
