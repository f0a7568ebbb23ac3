"""Cells in two dimensions, coloured by a column of `obs` or a gene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke

from scclr_ext._categories import categories_of
from scclr_ext.get._expression import in_raw, read_expression
from scclr_ext.pl._colors import LIGHT_GREY, category_colors
from scclr_ext.pl._style import LABEL, LEGEND, SMALL, TICK, dress, note, paper, shorten_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from scclr_ext.pl._umap import Coordinates

_LEGEND_ROWS, _LEGEND_ENTRIES = 16, 40
_SHORT, _LETTER = 3, 0.68
"""Characters of a name that may touch another, and the width of a bold letter in font sizes."""


@dataclass(frozen=True)
class Map:
    """What one map shows: numbers or categories with colours, or nothing but the cells."""

    title: str
    numbers: np.ndarray | None = None
    categories: pd.Categorical | None = None
    colors: dict[str, str] | None = None
    on_data: bool = False


def keys_to_draw(
    adata: AnnData, *, cluster_key: str | None, batch_key: str, color: str | Sequence[str] | None
) -> list[str]:
    """Name the columns to draw: clusters first, then what was asked for, or the batch."""
    asked = [batch_key] if color is None else [color] if isinstance(color, str) else list(color)
    keys = [key for key in [cluster_key, *asked] if key]
    for key in keys:
        if key not in adata.obs and key not in adata.var_names:
            msg = (
                f"`color` names {key!r}, which is neither a column of adata.obs nor a gene in adata.var_names; "
                f"give one of them.{in_raw(adata, key)}"
            )
            raise KeyError(msg)
    return list(dict.fromkeys(keys))


def prepare(adata: AnnData, keys: Sequence[str], *, cluster_key: str) -> list[Map]:
    """Fetch what the maps show; without anything to show, one map of plain cells."""
    titles = shorten_together(keys)
    return [
        _prepare_one(adata, key, title, on_data=key == cluster_key) for key, title in zip(keys, titles, strict=True)
    ] or [Map("")]


def _prepare_one(adata: AnnData, key: str, title: str, *, on_data: bool) -> Map:
    column = adata.obs[key] if key in adata.obs else read_expression(adata, [key], layer=None)[key]
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and not on_data:
        return Map(title, numbers=column.to_numpy(dtype=np.float64, na_value=np.nan))
    categories = categories_of(column)
    colors = category_colors(adata, key, categories.categories)
    return Map(title, categories=categories, colors=colors, on_data=on_data)


def draw(ax: Axes, shown: Map, coordinates: Coordinates | None) -> None:
    """Draw one map with a colour bar, a legend, or names on the clusters."""
    name, axis = ("UMAP", "UMAP") if coordinates is None else (coordinates.name, coordinates.axis)
    dress(ax, f"{name}, {shown.title}" if shown.title else name, xlabel=f"{axis} 1", ylabel=f"{axis} 2")
    if coordinates is None:
        note(ax, "every cell has the same embedding:\nthere is nothing to map")
        return
    ax.set_xticks([])
    ax.set_yticks([])
    cells, xy = coordinates.cells, coordinates.xy
    size = float(np.clip(40_000 / len(cells), 0.5, 24))
    if shown.numbers is not None:
        values = shown.numbers[cells]
        points = ax.scatter(
            xy[:, 0], xy[:, 1], s=size, c=values, cmap="viridis", linewidths=0, rasterized=True, plotnonfinite=True
        )
        bar = ax.figure.colorbar(points, ax=ax, pad=0.01, shrink=0.8, aspect=25)
        bar.ax.tick_params(labelsize=TICK)
    elif shown.categories is None or shown.colors is None:
        ax.scatter(xy[:, 0], xy[:, 1], s=size, c="#7F7F7F", linewidths=0, rasterized=True)
    else:
        # A cell without a label has code -1 and finds the grey at the end.
        palette = np.array([*shown.colors.values(), LIGHT_GREY])
        codes = shown.categories.codes[cells]
        ax.scatter(xy[:, 0], xy[:, 1], s=size, c=palette[codes], linewidths=0, rasterized=True)
        centres = {code: np.median(xy[codes == code], axis=0) for code in np.unique(codes[codes >= 0]).tolist()}
        names = shorten_together(shown.colors)
        font = LABEL if len(names) <= 20 else SMALL
        if shown.on_data and _apart(ax, [(names[code], centre) for code, centre in centres.items()], font):
            for code, centre in centres.items():
                up = font if _hidden(ax, xy[codes == code], names[code], font) else 0.0
                ax.annotate(
                    names[code],
                    centre,
                    (0, up),
                    textcoords="offset points",
                    size=font,
                    weight="bold",
                    ha="center",
                    va="center",
                    path_effects=[withStroke(linewidth=2, foreground=paper())],
                )
        else:
            _legend(ax, names, list(shown.colors.values()))


def _apart(ax: Axes, words: Sequence[tuple[str, np.ndarray]], font: float) -> bool:
    """Tell whether words at their places keep clear of one another; short ones, as numbers of clusters, may touch."""
    ax.autoscale_view()  # the limits are not yet those of the points
    inches = font / 72
    places = ax.transData.transform(np.reshape([centre for _, centre in words], (-1, 2))) / ax.figure.dpi
    halves = np.array([_LETTER * inches * len(text) / 2 for text, _ in words])
    across = np.abs(np.subtract.outer(places[:, 0], places[:, 0])) < np.add.outer(halves, halves)
    along = np.abs(np.subtract.outer(places[:, 1], places[:, 1])) < inches
    long = np.array([len(text) > _SHORT for text, _ in words])
    return not np.triu(across & along & (long[:, None] | long), 1).any()


def _hidden(ax: Axes, cells: np.ndarray, name: str, font: float) -> bool:
    """Tell whether a name would cover all cells that it is the name of."""
    extent = np.ptp(ax.transData.transform(cells), axis=0) * 72 / ax.figure.dpi
    return bool((extent < (_LETTER * font * len(name), font)).all())


def _legend(ax: Axes, names: Sequence[str], colors: Sequence[str]) -> None:
    handles = [
        ax.plot([], [], "o", color=color, markersize=5, label=name, linestyle="")[0]
        for name, color in zip(names[:_LEGEND_ENTRIES], colors, strict=False)
    ]
    if len(names) > len(handles):
        handles.append(ax.plot([], [], linestyle="", label=f"and {len(names) - len(handles)} more")[0])
    ax.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        fontsize=TICK if len(handles) <= _LEGEND_ROWS else SMALL,
        ncols=-(-len(handles) // _LEGEND_ROWS),
        **LEGEND,
    )
