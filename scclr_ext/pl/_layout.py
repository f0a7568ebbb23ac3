"""Where the panels go, and what a plot hands back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import scanpy as sc
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from scclr_ext.pl._style import names_fit, shorten_together

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.figure import FigureBase

WIDTH = 11.5
_TRAINING, _CLUSTERS, _MAP = 2.5, 2.4, 3.7


def panels(ax: Axes | FigureBase | None, n_maps: int, clusters: Sequence[object]) -> dict[str, Axes]:
    """Make the axes, by name; the maps are called `map0`, `map1`, ..."""
    training = [["loss", [["alignment"], ["uniformity"]], "spectrum"]]
    # Turned names grow downwards, and a panel should not pay for them.
    shown = shorten_together(clusters)
    per_cluster_row = _CLUSTERS if names_fit(shown) else _CLUSTERS + 0.06 * max(map(len, shown))
    if n_maps == 1:
        # One map fits beside the clusters, which keep the width that many of them need.
        wide = (2, 1) if len(clusters) else (1, 2)
        lower: list[list[Any]] = [[name] * wide[0] + ["map0"] * wide[1] for name in ("sizes", "silhouette")]
        rows: list[Any] = [training, lower]
        heights = [_TRAINING, 2 * per_cluster_row]
    else:
        n_columns = 2 if n_maps in {2, 4} else 3
        cells = [f"map{i}" if i < n_maps else "." for i in range(-(-n_maps // n_columns) * n_columns)]
        maps = [cells[i : i + n_columns] for i in range(0, len(cells), n_columns)]
        rows = [training, [["sizes", "silhouette"]], maps]
        heights = [_TRAINING, per_cluster_row, _MAP * len(maps)]
    host = host_for(ax, sum(heights))
    axes = host.subplot_mosaic([[row] for row in rows], height_ratios=heights)
    # The same order whatever the layout: what comes back is a list.
    first = ["loss", "alignment", "uniformity", "spectrum", "sizes", "silhouette"]
    return {name: axes[name] for name in [*first, *(f"map{i}" for i in range(n_maps))]}


def host_for(ax: object, height: float) -> Figure | SubFigure:
    """Find the figure, or the part of one, that a figure of many panels is drawn into."""
    if ax is None:
        return plt.figure(figsize=(WIDTH, height), layout="constrained")
    if isinstance(ax, Figure | SubFigure):
        return ax
    if not isinstance(ax, Axes):
        msg = f"`ax` is a {type(ax).__name__}; give an Axes, a SubFigure or a Figure to draw into, or None."
        raise TypeError(msg)
    place = ax.get_subplotspec()
    if place is None:
        msg = "`ax` is not part of a grid, so that its place cannot be divided; make it with `plt.subplots()`."
        raise ValueError(msg)
    ax.set_axis_off()
    figure = ax.figure.canvas.figure
    if figure.get_layout_engine() is None:
        # Only a layout that measures words can keep many panels apart, and it works on whole figures.
        figure.set_layout_engine("constrained")
    return ax.figure.add_subfigure(place)


def finish(axes: list[Axes], *, show: bool | None, return_fig: bool | None) -> list[Axes] | Figure | None:
    """Follow scanpy's rule of what a plot returns."""
    if return_fig:
        # The canvas belongs to the whole figure, even where the panels sit in a part of it.
        return axes[0].figure.canvas.figure
    if sc.settings.autoshow if show is None else show:
        plt.show()
        return None
    return axes
