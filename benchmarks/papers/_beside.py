"""Published figures beside ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks._markdown import markdown
from benchmarks.papers._shown import pick

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A published figure, and the mean of the rows that stand for it here."""

    what: str
    paper: str
    value: str
    where: Mapping[str, object] = field(default_factory=dict)
    digits: int = 2

    def row(self, results: pd.DataFrame) -> tuple[str, str, str, str]:
        """What, published, here, number of runs and of data sets."""
        part = pick(results, self.where)
        values = part[self.value].dropna() if self.value in part else pd.Series(dtype=float)
        if values.empty:
            return self.what, self.paper, "not yet run", "0"
        # Every set counts once, however many seeds it has.
        key = "data" if "data" in part else "set"
        n_sets = part[key].nunique()
        mean = part.groupby(key)[self.value].mean().mean()
        runs = f"{len(values)}" if n_sets == 1 else f"{len(values)} on {n_sets} sets"
        return self.what, self.paper, f"{mean:.{self.digits}f}", runs


def beside(figures: tuple[Beside, ...], results: pd.DataFrame) -> str:
    """Write the published figures and ours as Markdown."""
    if not figures:
        return ""
    rows = [figure.row(results) for figure in figures]
    table = pd.DataFrame(
        [row[1:] for row in rows], columns=["paper or program", "here", "runs"], index=[r[0] for r in rows]
    )
    return markdown(table, corner="") + "\n"
