"""The panels of `pl.resolution_sweep` but the last: a table in, marks on an Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from scclr_ext.pl._colors import BLUE, GREY, LIGHT_GREY, VERMILLION
from scclr_ext.pl._style import EM, LABEL, LEGEND, SMALL, TITLE, dress, ink, note, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scclr_ext.get._sweep_record import Sweep

# Colour, dashes and marker: any one of them tells the lines apart. The score has the colour of the words.
_CRITERIA = {
    "separation": ("separation, mean", "#009E73", "-", "o"),
    "separation_q10": ("separation, worst tenth", "#009E73", ":", "v"),
    "silhouette": ("silhouette", "#CC79A7", "--", "s"),
    "calinski_harabasz": ("Calinski-Harabasz", "#E69F00", "-.", "D"),
    "modularity": ("modularity", "#56B4E9", "--", "^"),
    "score": ("score", "", "-", ""),
}
AXIS_NAMES = {"resolution": "resolution", "n_clusters": "number of clusters"}
_MANY_TICKS = 60
"""Ratio of the highest to the lowest resolution above which each decade has two ticks instead of three."""


def verdict(ax: Axes, sweep: Sweep) -> None:
    """Say in words what was chosen, and how sure that is."""
    ax.set_axis_off()
    choice = sweep.choice
    if choice.index < 0:
        found = np.isfinite(choice.stability)
        text = "One cluster: " + ("others do not come out again" if found else "no candidate's clusters are separated")
    else:
        text = f"{choice.n_clusters} clusters"
        if sweep.axis == "resolution":
            text += f", at resolution {short(tried(sweep)[choice.index])}"
    ax.text(0, 0.5, text, fontsize=TITLE + 2, fontweight="bold", color=VERMILLION, va="center")
    parts = {"expected ARI": choice.expected_ari, "stability": choice.stability}
    parts = {name: value for name, value in parts.items() if np.isfinite(value)}
    sure = [", ".join(f"{name} {value:.2f}" for name, value in parts.items())] if parts else []
    if np.isfinite(choice.confidence):
        sure = [f"confidence {choice.confidence:.2f}", *sure]
    if choice.runner_up > 0:
        # The choice goes by agreement: a candidate that few others agree with may have the better score.
        side = "lower" if choice.margin >= 0 else "higher"
        sure.append(f"runner-up: {choice.runner_up} clusters, score {abs(choice.margin):.2f} {side}")
    elif choice.index >= 0:
        sure.append("no runner-up")
    words = "; ".join(sure)
    if EM * (len(text) * (TITLE + 2) + len(words) * LABEL) / 72 < width_of(ax.figure):
        ax.text(1, 0.5, words, fontsize=LABEL, color=GREY, va="center", ha="right")
    else:  # in a part of a figure: one below the other
        ax.texts[0].set(y=0.45, va="bottom", in_layout=False)
        below = ax.text(0, 0.4, words, fontsize=SMALL, color=GREY, va="top", ha="left")
        below.set_in_layout(False)  # it may be wider than there is room for panels
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)


def numbers(ax: Axes, sweep: Sweep) -> None:
    """Draw how many clusters each resolution gave."""
    dress(ax, "Number of clusters", xlabel="resolution", ylabel="clusters")
    table = sweep.table
    ax.plot(table["resolution"], table["n_clusters"], color=BLUE, linewidth=1.4, marker="o", markersize=3)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    ax.set_ylim(bottom=0)
    _along_sweep(ax, sweep)
    if sweep.choice.index >= 0:
        row = table.iloc[sweep.choice.index]
        ax.plot(row["resolution"], row["n_clusters"], "o", color=VERMILLION, markersize=6, zorder=3)


def criteria(ax: Axes, sweep: Sweep) -> None:
    """Draw the criteria, each from its lowest to its highest value."""
    dress(ax, "Criteria, each scaled to 0 to 1", xlabel=AXIS_NAMES[sweep.axis])
    for column, (label, color, dashes, marker) in _CRITERIA.items():
        if column not in sweep.table or not sweep.table[column].notna().any():
            continue
        values = sweep.table[column].to_numpy(dtype=float)
        low, high = np.nanmin(values), np.nanmax(values)
        # What does not change speaks for no candidate: it stays at the bottom.
        scaled = (values - low) / (high - low) if high > low else values - low
        width = 2.2 if column == "score" else 1.1
        ax.plot(
            tried(sweep),
            scaled,
            color=color or ink(),
            linestyle=dashes,
            linewidth=width,
            marker=marker,
            markersize=3,
            label=label,
        )
    ax.set_ylim(-0.05, 1.05)
    _along_sweep(ax, sweep)
    ax.legend(fontsize=SMALL, loc="upper left", bbox_to_anchor=(1.0, 1.0), **LEGEND | {"handlelength": 2.6})


def agreement(ax: Axes, sweep: Sweep) -> None:
    """Draw the weight of each candidate as a bar, and the agreement to expect of it as a curve."""
    dress(ax, "Weight and expected ARI", xlabel=AXIS_NAMES[sweep.axis])
    table = sweep.table
    if "expected_ari" not in table or not table["expected_ari"].notna().any():
        note(ax, "no candidate's clusters\nare separated")
        return
    x = tried(sweep)
    edges = _edges(x)
    chosen = np.arange(len(table)) == sweep.choice.index
    ax.bar(
        edges[:-1],
        table["weight"],
        np.diff(edges),
        align="edge",
        color=np.where(chosen, VERMILLION, LIGHT_GREY),
        edgecolor="white",
        linewidth=0.5,
    )
    ax.plot(x, table["expected_ari"], color=BLUE, linewidth=1.4, marker="o", markersize=3)
    ax.plot(x[chosen], table["expected_ari"][chosen], "o", color=VERMILLION, markersize=6, zorder=3)
    ax.set_ylim(min(0.0, float(table["expected_ari"].min()) - 0.05), 1.05)
    _along_sweep(ax, sweep)
    # Grey stands for all bars, the chosen one included.
    handles = [ax.lines[0], Patch(color=LIGHT_GREY)]
    ax.legend(handles, ["expected ARI", "weight"], fontsize=SMALL, loc="best", **LEGEND)


def _along_sweep(ax: Axes, sweep: Sweep) -> None:
    values = tried(sweep)
    ax.set_xscale("log")
    edges = _edges(values)
    ax.set_xlim(edges[0], edges[-1])
    wide = edges[-1] / edges[0] > _MANY_TICKS
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if wide else (1.0, 2.0, 5.0), numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if sweep.choice.index >= 0:
        ax.axvline(values[sweep.choice.index], color=VERMILLION, linestyle="--", linewidth=1, zorder=0)


def tried(sweep: Sweep) -> np.ndarray:
    """Return the resolutions or numbers of clusters that were tried."""
    return sweep.table[sweep.axis].to_numpy(dtype=float)


def _edges(tried: np.ndarray) -> np.ndarray:
    """Put the borders between candidates half-way, on the logarithmic axis."""
    logs = np.log(tried)
    middles = (logs[1:] + logs[:-1]) / 2
    if np.ptp(logs) > 0:
        ends = 1.5 * logs[[0, -1]] - 0.5 * logs[[1, -2]]
    else:  # one candidate, or several that came to the same number of clusters
        ends = logs[[0, -1]] + np.array([-0.5, 0.5])
    return np.exp(np.concatenate([ends[:1], middles, ends[1:]]))


def short(value: float) -> str:
    """Write a resolution with two digits."""
    return f"{value:.2g}"
