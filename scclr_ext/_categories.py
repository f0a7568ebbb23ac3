"""Labels as categories, in the order in which people count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from natsort import natsorted

from scclr_ext._anndata import check_column

if TYPE_CHECKING:
    from anndata import AnnData

_MOST_FRACTIONS = 30
_MOST_ALONE = 10
"""Cells that are alone in their groups: fewer may be all that there are, in a query for one."""


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


def labels_of(adata: AnnData, key: str, argument: str) -> pd.Categorical:
    """Read a column of `obs` that an argument names as groups of cells, called by their names; see `check_groups`."""
    check_groups(adata, key, argument)
    return by_name(categories_of(adata.obs[key]))


def check_groups(adata: AnnData, key: str, argument: str) -> None:
    """Refuse what names no column of `obs` with groups of cells.

    Raises
    ------
    TypeError
        Where it is no name.
    KeyError
        Where there is no such column.
    ValueError
        Where it holds measurements or names of cells.
    """
    check_column(adata, key, argument)
    if (found := no_groups(adata.obs[key])) is not None:
        msg = f"adata.obs[{key!r}] (`{argument}`) holds {found}; give a column of groups of cells."
        raise ValueError(msg)


def no_groups(column: pd.Series) -> str | None:
    """Say why a column names no groups of cells, or None: fractions of many values, or most cells alone."""
    known = column.dropna()
    n_fractions = int((known.drop_duplicates() % 1 != 0).sum()) if column.dtype.kind == "f" else 0
    if n_fractions > _MOST_FRACTIONS:
        return f"{n_fractions} different numbers with fractions, like a measurement"
    n_alone = int((known.astype(str).value_counts() == 1).sum())
    if n_alone > max(_MOST_ALONE, len(known) / 2):
        return f"a value of its own for {n_alone} of {len(known)} cells"
    return None
