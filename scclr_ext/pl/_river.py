"""Rivers: columns of stacked bars, and bands as wide as the cells that two bars share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection
from matplotlib.path import Path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_SWEEPS = 12
_CODES = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]


class River(NamedTuple):
    """Cells per bar, column by column; and between each column and the next a table of bands.

    A band is a row with `source` and `target`, the numbers of its bars in the two columns, and `n_cells`.
    """

    sizes: Sequence[NDArray[np.int64]]
    bands: Sequence[pd.DataFrame]


def untangle(river: River, fixed: Sequence[bool]) -> list[NDArray[np.int64]]:
    """Order the bars of each column, top first, such that few cells cross (barycentre method).

    Columns that are `fixed` keep the order of their numbers.
    """
    orders = [np.arange(len(sizes)) for sizes in river.sizes]
    best, fewest = list(orders), _crossings(river, orders)
    last = len(orders) - 1
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for i in range(1, last + 1) if forward else range(last - 1, -1, -1):
            if fixed[i]:
                continue
            bands = river.bands[i - 1] if forward else river.bands[i]
            here, there = ("target", "source") if forward else ("source", "target")
            other = i - 1 if forward else i + 1
            pull = _middles(river.sizes[other], orders[other])[bands[there]]
            total = np.bincount(bands[here], bands["n_cells"], minlength=len(orders[i]))
            centre = np.bincount(bands[here], pull * bands["n_cells"], minlength=len(orders[i]))
            centre = np.divide(centre, total, out=_middles(river.sizes[i], orders[i]), where=total > 0)
            # Bars that are pulled to the same height keep the order they have.
            orders[i] = orders[i][np.argsort(centre[orders[i]], kind="stable")]
        if (crossings := _crossings(river, orders)) < fewest:
            best, fewest = list(orders), crossings
    return best


def stack(
    sizes: Sequence[NDArray[np.int64]], orders: Sequence[NDArray[np.int64]], *, gap: float, slot: float = 0.0
) -> list[NDArray[np.float64]]:
    """Say where each bar starts, counted from the top in cells; shorter columns stand in the middle.

    `gap` is left between bars, and each gets at least the height `slot`, so that there is room for its name.
    """
    starts, heights = [], []
    for of_column, order in zip(sizes, orders, strict=True):
        room = np.maximum(of_column[order], slot)
        top = np.concatenate([[0.0], np.cumsum(room + gap)])
        start = np.empty(len(order))
        start[order] = top[:-1] + (room - of_column[order]) / 2
        starts.append(start)
        heights.append(top[-1] - gap)
    return [start + (max(heights) - height) / 2 for start, height in zip(starts, heights, strict=True)]


def draw_bars(
    ax: Axes, x: float, width: float, sizes: NDArray[np.int64], starts: NDArray[np.float64], colors: Sequence[str]
) -> None:
    """Draw one column."""
    ax.bar(x, sizes, width, bottom=starts, color=colors, edgecolor="white", linewidth=0.3, zorder=2)


def smaller_bar(bands: pd.DataFrame) -> NDArray[np.int64]:
    """Count for each band the cells of the smaller of its two bars."""
    of_bar = [bands.groupby(end)["n_cells"].transform("sum").to_numpy() for end in ("source", "target")]
    return np.minimum(*of_bar)


def draw_bands(
    ax: Axes,
    x: tuple[float, float],
    starts: tuple[NDArray[np.float64], NDArray[np.float64]],
    bands: pd.DataFrame,
    colors: Sequence[str],
    shown: NDArray[np.bool_],
) -> None:
    """Draw what flows from one column, whose bars end at `x[0]`, to the next, whose bars start at `x[1]`.

    `colors` has one colour per row of `bands`. Those that are not `shown` leave a gap instead.
    """
    left, right = (start[bands[end]] for start, end in zip(starts, ("source", "target"), strict=True))
    # Within a bar, bands leave in the order in which they arrive: none crosses another of the same bar.
    y_left = left + _offsets(bands["source"], right, bands["n_cells"])
    y_right = right + _offsets(bands["target"], left, bands["n_cells"])
    middle = sum(x) / 2
    paths = []
    for i in np.flatnonzero(shown):
        a, b, width = y_left[i], y_right[i], bands["n_cells"].iat[i]
        upper = [(x[0], a), (middle, a), (middle, b), (x[1], b)]
        lower = [(x[1], b + width), (middle, b + width), (middle, a + width), (x[0], a + width)]
        paths.append(Path([*upper, *lower, (x[0], a)], _CODES))
    ax.add_collection(
        PathCollection(
            paths,
            facecolors=[color for color, drawn in zip(colors, shown, strict=True) if drawn],
            edgecolors="none",
            alpha=0.45,
            zorder=1,
        ),
        autolim=False,
    )


def frame(ax: Axes, starts: Sequence[NDArray[np.float64]], sizes: Sequence[NDArray[np.int64]]) -> None:
    """Limit the axis to the tallest column, read from the top; heights need no numbers."""
    bottom = max(float((start + size).max()) for start, size in zip(starts, sizes, strict=True))
    ax.set_ylim(1.01 * bottom, -0.01 * bottom)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _middles(sizes: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    middles = np.empty(len(order))
    middles[order] = np.cumsum(sizes[order]) - sizes[order] / 2
    return middles


def _crossings(river: River, orders: Sequence[NDArray[np.int64]]) -> float:
    """Count the pairs of cells whose ways cross."""
    total = 0.0
    for i, bands in enumerate(river.bands):
        left, right = (np.argsort(orders[i + end])[bands[name]] for end, name in enumerate(("source", "target")))
        cross = np.subtract.outer(left, left) * np.subtract.outer(right, right) < 0
        weight = bands["n_cells"].to_numpy(dtype=float)
        total += float(weight @ cross @ weight)
    return total


def _offsets(bar: pd.Series, towards: NDArray[np.float64], n_cells: pd.Series) -> NDArray[np.float64]:
    """Stack the bands of each bar in the order of the places they go to."""
    stacked = pd.DataFrame({"bar": bar.to_numpy(), "towards": towards, "n_cells": n_cells.to_numpy()})
    stacked = stacked.sort_values(["bar", "towards"], kind="stable")
    before = stacked.groupby("bar")["n_cells"].cumsum() - stacked["n_cells"]
    return before.sort_index().to_numpy(dtype=float)
