"""The last panel of `pl.resolution_sweep`: how cells move between the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.pl import _river
from scclr_ext.pl._colors import VERMILLION
from scclr_ext.pl._style import SMALL, TICK, dress, note
from scclr_ext.pl._sweep_columns import THINNEST, column_colors, sweep_columns
from scclr_ext.pl._sweep_panels import AXIS_NAMES, short, tried

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from scclr_ext.get._sweep_record import Sweep

_BAR, _CHOSEN_BAR = 0.16, 0.24
_GAPS = 0.35
"""Gaps between the bars of the tallest column, all together, as a share of the cells."""


def river(ax: Axes, sweep: Sweep, cluster_colors: Mapping[str, str]) -> None:
    """Draw how cells move from each resolution to the next."""
    dress(ax, f"Where cells go as the {AXIS_NAMES[sweep.axis]} rises")
    if len(sweep.table) < 2:
        note(ax, f"a single {AXIS_NAMES[sweep.axis]} was tried:\nthere is nothing to compare it with")
        return
    columns = sweep_columns(sweep)
    colors = column_colors(columns, cluster_colors)
    sizes, bands = columns.river
    n_cells = int(sizes[0].sum())
    orders = _river.untangle(columns.river, [False] * len(sizes))
    gap = _GAPS * n_cells / max(20, *map(len, sizes))
    starts = _river.stack(sizes, orders, gap=gap)
    half = [(_CHOSEN_BAR if c == columns.chosen else _BAR) / 2 for c in range(len(sizes))]
    if columns.chosen >= 0:
        ax.axvspan(columns.chosen - 0.3, columns.chosen + 0.3, color=VERMILLION, alpha=0.1, linewidth=0, zorder=0)
    for c, rows in enumerate(bands):
        # The end that is nearer to the choice gives the colour: bars on the left are seen to hold chosen clusters.
        end, of = ("source", c) if 0 <= columns.chosen <= c else ("target", c + 1)
        _river.draw_bands(
            ax,
            (c + half[c], c + 1 - half[c + 1]),
            (starts[c], starts[c + 1]),
            rows,
            [colors[of][bar] for bar in rows[end]],
            # A small bar would hang in the air without its largest bands.
            rows["n_cells"].to_numpy() >= np.minimum(THINNEST * n_cells, _river.smaller_bar(rows) / 2),
        )
    for c in range(len(sizes)):
        _river.draw_bars(ax, c, 2 * half[c], sizes[c], starts[c], colors[c])
    _river.frame(ax, starts, sizes)
    ax.set_xlim(-0.5, len(sizes) - 0.5)
    _name_columns(ax, sweep, columns.spans, columns.chosen, [len(of_column) for of_column in sizes])
    if columns.chosen >= 0:
        _name_bars(ax, columns.chosen, sizes[columns.chosen], starts[columns.chosen], list(cluster_colors))


def _name_columns(ax: Axes, sweep: Sweep, spans: list[tuple[int, int]], chosen: int, counts: list[int]) -> None:
    values = tried(sweep)
    names = [short(values[a]) + (f"\nto {short(values[b])}" if b > a else "") for a, b in spans]
    small = SMALL if len(spans) > 14 else TICK
    ax.set_xticks(range(len(spans)), names, fontsize=small)
    labels = ax.get_xticklabels()[max(chosen, 0) : chosen + 1]
    words = AXIS_NAMES[sweep.axis]
    if sweep.axis == "resolution":
        above = ax.secondary_xaxis("top")
        above.set_xticks(range(len(spans)), [str(count) for count in counts], fontsize=TICK)
        above.tick_params(length=0, pad=1)
        above.spines[:].set_visible(False)
        labels += above.get_xticklabels()[max(chosen, 0) : chosen + 1]
        words += " (above: number of clusters); resolutions between which few cells move share a column"
    ax.set_xlabel(words, fontsize=TICK)
    for label in labels:
        label.set_color(VERMILLION)
        label.set_fontweight("bold")


def _name_bars(ax: Axes, x: int, sizes: np.ndarray, starts: np.ndarray, names: list[str]) -> None:
    low, high = sorted(ax.get_ylim())
    for size, start, name in zip(sizes, starts, names, strict=True):
        if size > 0.022 * (high - low):
            ax.text(
                x + _CHOSEN_BAR / 2 + 0.03, start + size / 2, name, ha="left", va="center", fontsize=SMALL, zorder=3
            )
