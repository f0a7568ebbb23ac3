"""Scores against a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.papers._shown import pick
from benchmarks.papers.draw import _style as style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure


def lines(
    x: str,
    panels: Mapping[str, str],
    *,
    xlabel: str,
    by: str = "method",
    log: bool = False,
    log_y: bool = False,
    where: Mapping[str, object] | None = None,
    published: Mapping[str, tuple[float, float, str]] | None = None,
) -> Callable[[pd.DataFrame], Figure]:
    """A panel per score (`{label: column}`), a line per method: mean over sets and seeds against `x`.

    Only sets that have every `x` of a method count, so that a line compares like with like; above stands which they
    are. `published` marks a point ``(x, y, text)`` in a panel.
    """

    def draw(results: pd.DataFrame) -> Figure:
        part = pick(results, where or {}).dropna(subset=[x])
        figure, axes = style.panels(len(panels))
        for ax, (label, column) in zip(axes, panels.items(), strict=True):
            curves = {str(name): complete(part[part[by] == name], x, column) for name in dict.fromkeys(part[by])}
            told = {name: _sets(curve.attrs["sets"]) for name, curve in curves.items()}
            same = len(set(told.values())) == 1 or by == "set"
            for i, (name, curve) in enumerate(curves.items()):
                line = name if same else f"{name} ({told[name]})"
                ink = style.color(name) or style.SERIES[i % len(style.SERIES)]
                ax.plot(curve.index, curve["mean"], label=line, ms=5, color=ink, marker=style.MARKERS[i % 12])
                if by != "set":
                    ax.fill_between(curve.index, curve["low"], curve["high"], color=ink, alpha=0.1, lw=0)
            if same and by != "set" and told:
                ax.set_title(next(iter(told.values())), loc="left", fontsize=9)
            if published and label in published:
                at_x, at_y, text = published[label]
                ax.plot(at_x, at_y, marker="*", ms=12, color="black", ls="none", label=text)
            if log:
                ax.set_xscale("log")
            if log_y:
                ax.set_yscale("log")
            style.tidy(ax, xlabel, label)
        style.legend(figure, axes[-1])
        return figure

    return draw


def complete(part: pd.DataFrame, x: str, column: str) -> pd.DataFrame:
    """Mean, lowest and highest by `x` over the sets that have every `x`, whose names are in `attrs`."""
    if "set" not in part or part["set"].isna().any():
        part = part.assign(set="")
    by_set = part.dropna(subset=[column]).groupby([x, "set"])[column].mean().unstack("set")
    whole = by_set.dropna(axis=1)
    whole = by_set if whole.empty else whole
    table = pd.DataFrame({"mean": whole.mean(axis=1), "low": whole.min(axis=1), "high": whole.max(axis=1)})
    table.attrs["sets"] = list(whole.columns)
    return table


def _sets(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"mean and range of {len(names)} sets"
