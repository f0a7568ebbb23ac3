"""Scores of methods, set by set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.papers._shown import pick
from benchmarks.papers.draw import _style as style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from matplotlib.figure import Figure


def dots(
    panels: Mapping[str, str],
    *,
    rows: str = "method",
    where: Mapping[str, object] | None = None,
    published: Mapping[str, tuple[float, str]] | None = None,
    zero: bool = False,
    log: tuple[str, ...] = (),
) -> Callable[[pd.DataFrame], Figure]:
    """A panel per score, a row per method, a dot per set (mean of its seeds) and a bar for the mean of the sets.

    `published` draws a line ``(x, text)`` in a panel; panels named in `log` have a logarithmic axis.
    """

    def draw(results: pd.DataFrame) -> Figure:
        part = pick(results, where or {})
        names = list(dict.fromkeys(part[rows]))[::-1]
        figure, axes = style.panels(len(panels), height=1.1 + 0.26 * len(names), share=True)
        key = "data" if rows != "data" and "data" in part else "seed"
        for ax, (label, column) in zip(axes, panels.items(), strict=True):
            for i, name in enumerate(names):
                values = part[part[rows] == name].groupby(key)[column].mean().dropna().to_numpy()
                ink = style.color(name) or "#0072B2"
                jitter = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(len(values))
                ax.scatter(values, i + jitter, s=14, color=ink, alpha=0.55, lw=0)
                if len(values):
                    ax.plot([values.mean()] * 2, [i - 0.34, i + 0.34], color=ink, lw=2.5)
            if published and label in published:
                at, text = published[label]
                ax.axvline(at, color="black", ls="--", lw=1)
                ax.text(at, len(names) - 0.4, f" {text}", fontsize=8, va="bottom", ha="center")
            if label in log:
                ax.set_xscale("log")
            if zero:
                ax.axvline(0, color="0.6", lw=0.8)
            ax.set_yticks(range(len(names)), [str(name) for name in names])
            ax.set_ylim(-0.6, len(names) - 0.4)
            style.tidy(ax, label, "")
        return figure

    return draw
