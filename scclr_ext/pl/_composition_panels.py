"""The two panels of a composition: stacked bars, and one point per donor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext.pl._colors import GREY
from scclr_ext.pl._groups import name_ticks, points, recurring, spread, write_tests
from scclr_ext.pl._style import (
    EM,
    LABEL,
    LEGEND,
    SMALL,
    TICK,
    dress,
    have_room,
    ink,
    shorten,
    shorten_together,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

_POOLED, _UNIT, _GAP = 1.6, 0.9, 0.9
"""Widths of a bar of all cells, of a bar of one unit, and of the space before the next group."""
_LEGEND_ROWS = 16
_TURN = 40
"""Degrees by which names are turned that have no room beside each other."""
_WIDTH = 0.8


def bars(
    ax: Axes, pooled: pd.DataFrame, per_unit: pd.DataFrame | None, colors: Mapping[str, str], *, labels: str
) -> None:
    """Draw a stacked bar for each group, and one for each of its units."""
    groups = _shown(pooled["group"])
    units = {} if per_unit is None else _shown(per_unit["unit"])
    ticks: dict[float, str] = {}
    above: dict[float, str] = {}
    left = 0.0
    for group, rows in pooled.groupby("group", observed=True):
        start = left
        left = _stack(ax, rows, colors, left, _POOLED)
        ticks[start + _POOLED / 2] = groups[group] if per_unit is None else "all"
        if per_unit is not None:
            for unit, own in per_unit[per_unit["group"] == group].groupby("unit", observed=True):
                ticks[left + _UNIT / 2] = units[unit]
                left = _stack(ax, own, colors, left, _UNIT)
            above[(start + left) / 2] = groups[group]
        left += _GAP
    # Two narrow bars would grow into walls.
    margin = max(0.4, (14 - left) / 2)
    ax.set_xlim(-margin, left - _GAP + margin)
    ax.set_ylim(0, 1)
    dress(ax, "Composition", ylabel="share of the cells", pad=_write_above(ax, above))
    ax.spines["bottom"].set_visible(False)
    name_ticks(ax, ticks, together=have_room(ax, list(ticks.values()), list(ticks)))
    handles = [
        ax.bar(0, 0, color=color, label=name)
        for name, color in zip(shorten_together(colors), colors.values(), strict=True)
    ]
    ax.legend(
        handles=handles[::-1],  # as the bars are stacked
        title=shorten(labels),
        title_fontsize=TICK,
        fontsize=TICK if len(handles) <= _LEGEND_ROWS else SMALL,
        ncols=-(-len(handles) // _LEGEND_ROWS),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        **LEGEND,
    )


def _write_above(ax: Axes, names: Mapping[float, str]) -> float | None:
    """Write names of groups between the bars and the title; returns how far up the title has to go, in points."""
    if not names:
        return None
    if have_room(ax, list(names.values()), list(names), font=LABEL):
        turned: dict[str, Any] = {"ha": "center"}
        high = 2 * LABEL
    else:
        turned = {"ha": "left", "rotation": _TURN, "rotation_mode": "anchor"}
        high = LABEL * (2 + EM * max(map(len, names.values())) * float(np.sin(np.deg2rad(_TURN))))
    for x, name in names.items():
        ax.text(x, 1.01, name, va="bottom", fontsize=LABEL, **turned)
    return high


def shares(
    ax: Axes,
    per_unit: pd.DataFrame,
    tests: pd.DataFrame | None,
    colors: Mapping[str, str],
    *,
    names: tuple[str, str],
    reference: str | None,
) -> None:
    """Draw for each category and group a point per unit, their median, and the p-values."""
    groupby, unit = names
    dress(ax, f"Share per {shorten(unit)}", ylabel="share of the cells")
    categories, groups = (list(per_unit[column].cat.categories) for column in ("category", "group"))
    width = _WIDTH / len(groups)
    joined = recurring(per_unit)
    highest = np.zeros(len(categories))
    offset = {group: (i + 0.5) * width - _WIDTH / 2 for i, group in enumerate(groups)}
    for i, category in enumerate(categories):
        rows = per_unit[per_unit["category"] == category]
        place: dict[tuple[str, str], tuple[float, float]] = {}
        for group, own in rows.groupby("group", observed=True):
            values, x = own["fraction"].to_numpy(), i + offset[group]
            ax.hlines(np.median(values), x - 0.4 * width, x + 0.4 * width, color=ink(), linewidth=1.4, zorder=4)
            across = x + spread(own["unit"].cat.codes.to_numpy() if joined else values, width)
            place |= {(name, group): (a, b) for name, a, b in zip(own["unit"].astype(str), across, values, strict=True)}
        points(ax, place, colors)
        highest[i] = rows["fraction"].max()
    top = max(float(highest.max()), 1e-9)
    ax.set_ylim(-0.03 * top, 1.05 * top)
    ax.set_xlim(-0.6, len(categories) - 0.4)
    for edge in np.arange(len(categories) - 1) + 0.5:
        ax.axvline(edge, color=GREY, alpha=0.2, linewidth=0.8, zorder=0)
    if tests is not None:
        # One test per category, or one for each group but the reference.
        within = [0.0] if reference is None else [offset[group] for group in groups if group != reference]
        at = [i + x for i in range(len(categories)) for x in within]
        write_tests(ax, tests, at, np.repeat(highest + 0.03 * top, len(within)).tolist())
        ax.set_title(f"{tests['test'].iloc[0]}, adjusted p", loc="right", fontsize=TICK)
    shown = shorten_together(categories)
    name_ticks(ax, dict(enumerate(shown)), together=have_room(ax, shown, range(len(shown))))
    handles = [
        ax.plot([], [], "o", color=colors[group], mec=ink(), mew=0.5, ms=4, label=name)[0]
        for group, name in _shown(per_unit["group"]).items()
    ]
    title = {"title": shorten(groupby), "title_fontsize": TICK, "fontsize": TICK}
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), **title, **LEGEND)


def _shown(column: pd.Series) -> dict[str, str]:
    names = list(column.cat.categories)
    return dict(zip(names, shorten_together(names), strict=True))


def _stack(ax: Axes, rows: pd.DataFrame, colors: Mapping[str, str], left: float, width: float) -> float:
    bottom = np.cumsum(rows["fraction"].to_numpy()) - rows["fraction"].to_numpy()
    faces = [colors[name] for name in rows["category"]]
    ax.bar(
        left + width / 2, rows["fraction"], width * 0.92, bottom=bottom, color=faces, edgecolor="white", linewidth=0.4
    )
    return left + width
