"""Labels as categories, in the order in which people count."""

from __future__ import annotations

import pandas as pd
from natsort import natsorted


def widened(column: pd.Series) -> pd.Series:
    """Return a column as it is, but for numbers of half precision, by which pandas cannot group."""
    return column.astype("float32") if column.dtype == "float16" else column


def categories_of(column: pd.Series) -> pd.Categorical:
    """Read a column of labels as categories that occur; naturally sorted unless it is categorical already."""
    column = widened(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical(column).remove_unused_categories()
    return pd.Categorical(column, categories=natsorted(column.dropna().unique()))


def by_name(labels: pd.Categorical) -> pd.Categorical:
    """Call categories that are numbers or truth values by their names; as they are where two would have the same."""
    names = [str(category) for category in labels.categories]
    return labels.rename_categories(names) if len(set(names)) == len(names) else labels
