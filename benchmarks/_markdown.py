"""Tables as Markdown."""

from __future__ import annotations

import pandas as pd

from benchmarks.quality.sets import INDEPENDENT_LABELS


def markdown(table: pd.DataFrame, *, digits: int = 3, corner: str = "set") -> str:
    """Write a table; numbers with so many digits, missing ones as a dash."""
    head = [corner, *map(str, table.columns)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for index, row in table.iterrows():
        lines.append("| " + " | ".join([str(index), *(_cell(value, digits) for value in row)]) + " |")
    return "\n".join(lines)


def with_means(table: pd.DataFrame) -> pd.DataFrame:
    """Add the mean of all sets (rows), and that of the sets whose labels do not come from a PCA."""
    means = {"mean of all sets": table.mean(numeric_only=True)}
    independent = table.index.isin(INDEPENDENT_LABELS)
    if independent.any():
        means["mean, labels not from a PCA"] = table[independent].mean(numeric_only=True)
    return pd.concat([table, pd.DataFrame(means).T])


def _cell(value: object, digits: int) -> str:
    if isinstance(value, str):
        return value
    return "–" if pd.isna(value) else f"{value:.{digits}f}"
