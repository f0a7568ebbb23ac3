"""Tables of an experiment: means over seeds with the number of runs beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks._markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Table:
    """Mean of one score by two columns of the results, with its standard deviation over seeds where a cell is one set.

    With `values` instead of `value` the columns are scores. `how="cv"` shows the coefficient of variation over seeds.
    """

    title: str
    value: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    rows: str = "data"
    columns: str = "method"
    where: Mapping[str, object] = field(default_factory=dict)
    how: str = "mean"
    digits: int = 2

    def text(self, results: pd.DataFrame) -> str:
        """Write the table as Markdown; empty where there is nothing to show, such as the variation of single runs."""
        part = pick(results, self.where)
        values = self.values or {self.value: self.value}
        values = {name: column for name, column in values.items() if column in part and part[column].notna().any()}
        if part.empty or not values:
            return ""
        # The order of the first appearance is that of the experiment.
        order = list(dict.fromkeys(part[self.rows]))
        columns: dict[str, pd.Series] = {}
        counts: list[pd.Series] = []
        for name, column in values.items():
            groups = [self.rows] if self.values else [self.rows, self.columns]
            found = part.dropna(subset=[column]).groupby(groups, sort=False)[column]
            cells = self._cells(part, column, groups)
            if self.values:
                columns[name] = cells
                counts.append(found.size())
            else:
                for method in dict.fromkeys(part[self.columns]):
                    if method in cells.index.get_level_values(1):
                        columns[str(method)] = cells.xs(method, level=1)
                counts += [found.size().groupby(level=0).min(), found.size().groupby(level=0).max()]
        runs = pd.concat(counts, axis=1)
        if all((column == "–").all() for column in columns.values()):
            return ""
        columns["runs"] = pd.Series(
            [_span(low, high) for low, high in zip(runs.min(axis=1), runs.max(axis=1), strict=True)], index=runs.index
        )
        table = pd.DataFrame(columns).reindex(order).dropna(how="all").astype(object)
        corner = "" if self.rows in {"data", "method"} else self.rows.replace("_", " ")
        return f"{self.title}\n\n{markdown(table.where(table.notna(), None), corner=corner)}\n"

    def _cells(self, part: pd.DataFrame, column: str, groups: list[str]) -> pd.Series:
        # Seeds are put together within each set: between sets is not a matter of seeds.
        within = list(dict.fromkeys([*groups, "data"])) if "data" in part else groups
        by_set = part.dropna(subset=[column]).groupby(within, sort=False)[column]
        found = (by_set.agg(variation) if self.how == "cv" else by_set.mean()).groupby(level=groups, sort=False).mean()
        sd = by_set.std().reindex(found.index) if self.how == "mean" and within == groups else found * float("nan")
        texts = [
            self._number(mean) + ("" if pd.isna(spread) else f" ± {self._number(spread)}")
            for mean, spread in zip(found, sd, strict=True)
        ]
        return pd.Series(texts, index=found.index, dtype=object)

    def _number(self, value: float) -> str:
        return "–" if pd.isna(value) else f"{value:.{self.digits}f}"


def pick(results: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    """Keep the rows whose columns have these values (or one of these, where a tuple is given)."""
    for column, wanted in where.items():
        if column not in results:
            return results[:0]
        results = results[results[column].isin(wanted if isinstance(wanted, tuple) else (wanted,))]
    return results


def variation(values: pd.Series) -> float:
    """Standard deviation divided by the mean's absolute value."""
    mean = abs(values.mean())
    return float("nan") if len(values) < 2 or mean == 0 else values.std() / mean


def _span(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
