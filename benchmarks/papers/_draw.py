"""Figures of the experiments, from their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmarks.papers._shown import pick

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind; every method has the same in all figures.
COLORS = {
    "PCA": "#666666",
    "PCA, 2 components": "#BBBBBB",
    "contrastive-sc": "#009E73",
    "contrastive-sc (code)": "#56B4E9",
    "contrastive-sc (paper)": "#0072B2",
    "clear": "#E69F00",
    "clear (code)": "#CC79A7",
    "clear (paper)": "#9A4F7F",
    "scclr": "#D55E00",
    "Harmony": "#000000",
    "Concord": "#7A6A00",
    "scVI": "#8C564B",
}
_MARKERS = "osD^vPX<>hpd"


def color(name: object) -> str | None:
    """Colour of a method, told of the batches or not; None where any will do."""
    return COLORS.get(str(name).removesuffix(" (told)"))


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
        figure, axes = _panels(len(panels))
        for ax, (label, column) in zip(axes, panels.items(), strict=True):
            curves = {str(name): complete(part[part[by] == name], x, column) for name in dict.fromkeys(part[by])}
            told = {name: _sets(curve.attrs["sets"]) for name, curve in curves.items()}
            same = len(set(told.values())) == 1 or by == "set"
            for i, (name, curve) in enumerate(curves.items()):
                line = name if same else f"{name} ({told[name]})"
                (drawn,) = ax.plot(
                    curve.index, curve["mean"], label=line, ms=5, color=color(name), marker=_MARKERS[i % 12]
                )
                if by != "set":
                    ax.fill_between(curve.index, curve["low"], curve["high"], color=drawn.get_color(), alpha=0.1, lw=0)
            if same and by != "set" and told:
                ax.set_title(next(iter(told.values())), loc="left", fontsize=9)
            if published and label in published:
                at_x, at_y, text = published[label]
                ax.plot(at_x, at_y, marker="*", ms=12, color="black", ls="none", label=text)
            if log:
                ax.set_xscale("log")
            if log_y:
                ax.set_yscale("log")
            _tidy(ax, xlabel, label)
        _legend(figure, axes[-1])
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
        figure, axes = _panels(len(panels), height=1.1 + 0.26 * len(names), share=True)
        key = "data" if rows != "data" and "data" in part else "seed"
        for ax, (label, column) in zip(axes, panels.items(), strict=True):
            for i, name in enumerate(names):
                values = part[part[rows] == name].groupby(key)[column].mean().dropna().to_numpy()
                ink = color(name) or "#0072B2"
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
            _tidy(ax, label, "")
        return figure

    return draw


def _panels(n: int, *, height: float = 3.2, share: bool = False) -> tuple[Figure, list[Axes]]:
    width = min(10.0, 1.6 + 2.9 * n) if share else min(10.5, 3.6 * n)
    figure, axes = plt.subplots(
        1, n, figsize=(max(width, 4.6), height), layout="constrained", sharey=share, squeeze=False
    )
    return figure, list(axes.ravel())


def _tidy(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, ax: Axes) -> None:
    handles: list[Any]
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False, fontsize=9)
