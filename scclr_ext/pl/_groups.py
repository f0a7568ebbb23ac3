"""Marks and colours that the plots of groups (conditions) and units (donors) share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from scclr_ext.pl._colors import category_colors
from scclr_ext.pl._style import EM, SMALL, TICK, have_room, ink, shorten_together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

_BOX = 0.62
_JITTER = 0.6
"""Share of a box's width over which its points are spread."""


def group_colors(adata: AnnData, key: str, groups: pd.Index) -> dict[str, str]:
    """Take the user's colours, or a ramp: conditions often have an order, and cell types have the other colours."""
    if f"{key}_colors" in adata.uns:
        return category_colors(adata, key, groups)
    return ramp(groups)


def ramp(names: pd.Index) -> dict[str, str]:
    """Colour names from dark to light, in a way that colour-blind readers see as well."""
    shades = colormaps["cividis"](np.linspace(0.05, 0.85, max(len(names), 2)))
    return {name: to_hex(color) for name, color in zip(names, shades, strict=False)}


def spread(order: np.ndarray, width: float) -> np.ndarray:
    """Lay the points of one group side by side, neighbours in `order` far apart; the same way every time."""
    steps = np.zeros(len(order))
    if len(order) > 1:
        # Multiples of the golden ratio fill a line evenly, however many there are.
        steps[np.argsort(order, kind="stable")] = (np.arange(1, len(order) + 1) * 0.618034) % 1 - 0.5
    return steps * width * _JITTER


def recurring(per_unit: pd.DataFrame) -> bool:
    """Tell whether a unit is in several groups: then it keeps its place in each, and lines do not cross."""
    return bool(per_unit.groupby("unit", observed=True)["group"].nunique().max() > 1)


def points(ax: Axes, place: Mapping[tuple[str, str], tuple[float, float]], colors: Mapping[str, str]) -> None:
    """Draw one point per unit and group, and a line between those of one unit."""
    for unit in dict.fromkeys(unit for unit, _ in place):
        own = np.array([xy for (name, _), xy in place.items() if name == unit])
        if len(own) > 1:
            ax.plot(*own.T, color="#777777", linewidth=0.6, zorder=4)
    x, y = np.array(list(place.values())).reshape(-1, 2).T
    faces = [colors[group] for _, group in place]
    ax.scatter(x, y, s=16, c=faces, edgecolors=ink(), linewidths=0.5, zorder=5)


def p_text(p: float) -> str:
    """Write a p-value as papers do."""
    if not np.isfinite(p):
        return "n/a"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def boxes(
    ax: Axes, values: np.ndarray, groups: pd.Series, means: pd.DataFrame | None, colors: Mapping[str, str]
) -> None:
    """Draw a box of all cells for each group and, where there are some, the means of its units."""
    names = list(groups.cat.categories)
    place: dict[tuple[str, str], tuple[float, float]] = {}
    joined = means is not None and recurring(means)
    for i, group in enumerate(names):
        own = values[(groups == group).to_numpy()]
        own = own[np.isfinite(own)]
        if len(own):
            drawn = ax.boxplot(
                [own], positions=[i], widths=_BOX, showfliers=False, patch_artist=True, manage_ticks=False
            )
            drawn["boxes"][0].set(facecolor=colors[group], alpha=0.45)
            drawn["medians"][0].set(color=ink(), linewidth=1.4)
        if means is not None:
            rows = means[means["group"] == group]
            y = rows["mean"].to_numpy()
            across = i + spread(rows["unit"].cat.codes.to_numpy() if joined else y, _BOX)
            place |= {(unit, group): xy for unit, xy in zip(rows["unit"], zip(across, y, strict=True), strict=True)}
    if place:
        points(ax, place, colors)
    shown = shorten_together(names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    name_ticks(ax, dict(enumerate(shown)), together=have_room(ax, shown, range(len(names))))
    ax.margins(y=0.1)


def write_tests(ax: Axes, tests: pd.DataFrame, at: Sequence[float], height: Sequence[float]) -> None:
    """Write corrected p-values at their places, in bold below 0.05; turned where they would run into one another.

    The panel is given room for those at the top.
    """
    shown = [p_text(p) for p in tests["p_adjusted"]]
    turned = not have_room(ax, shown, at, font=SMALL)
    points = 2 + SMALL * (EM * max(map(len, shown)) if turned else 1)
    share = min(0.5, points / 72 * ax.figure.dpi / ax.get_window_extent().height)
    low, high = ax.get_ylim()
    ax.set_ylim(low, max(high, low + (max(height) - low) / (1 - share)))
    for text, p, x, y in zip(shown, tests["p_adjusted"], at, height, strict=True):
        weight = "bold" if p < 0.05 else "normal"
        ax.text(x, y, text, ha="center", va="bottom", fontsize=SMALL, fontweight=weight, rotation=90 * turned)


def name_ticks(ax: Axes, ticks: Mapping[float, str], *, together: bool) -> None:
    """Name places on the x axis; the names are turned where they cannot stand side by side."""
    style = {"rotation": 0} if together else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(list(ticks), list(ticks.values()), fontsize=TICK if len(ticks) <= 40 else SMALL, **style)
    ax.tick_params(axis="x", length=0)
