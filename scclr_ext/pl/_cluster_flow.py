from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scclr_ext._checks import check_share
from scclr_ext._docs import shared_docs
from scclr_ext.get import cluster_flow as flow_table
from scclr_ext.pl import _river
from scclr_ext.pl._colors import GREY, category_colors
from scclr_ext.pl._layout import finish
from scclr_ext.pl._style import SMALL, TICK, TITLE, shorten_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from matplotlib.figure import Figure

_WIDTH, _BAR = 5.5, 0.1
_LINE = 1.25
"""Height of a line of text, in font sizes."""


@shared_docs
def cluster_flow(
    adata: AnnData,
    left: str,
    right: str,
    *,
    color_by: Literal["left", "right"] = "left",
    min_fraction: float = 0.02,
    show: bool | None = None,
    ax: Axes | None = None,
    return_fig: bool | None = None,
) -> Axes | Figure | None:
    """Show where the cells of one labelling are in another.

    The categories of the two columns stand opposite one another as bars, as high as they have cells, and the bands
    between them are as wide as the cells they share. Use it for clusters against known cell types, for two
    clusterings, or for cell types against batches. Nothing is written to `adata`:
    :func:`scclr_ext.get.cluster_flow` returns the table.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    left
        Column of `obs` with categories: clusters, cell types, batches, ...
    right
        Another column of `obs` with categories.
    color_by
        The side that gives the bands their colours. The bars of the other side have colours only where `uns` holds
        some.
    min_fraction
        Leave out bands with a smaller share of the cells of the smaller of their two bars. The bars keep their height,
        and the figure says which share of all cells is not drawn.
    {show}
    ax
        Axes to draw on. `None` makes a figure whose height suits the number of categories.
    {return_fig}

    Returns
    -------
    {axes_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, `left` or `right` no name, or `ax` no Axes.
    KeyError
        If a column is missing.
    ValueError
        If no cell has both labels, `color_by` is neither side, or `min_fraction` is not between 0 and 1.

    See Also
    --------
    scclr_ext.pl.resolution_sweep : the same kind of river through all resolutions.

    Notes
    -----
    Cells without a label (NaN) in either column are left out. Categories are ordered such that few cells cross,
    except those of an ordered categorical, which keep their order. Colours are those of `uns["<column>_colors"]`
    where they exist, otherwise those that scanpy gives by default.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = pd.DataFrame({"a": ["x", "x", "x", "y"], "b": ["1", "1", "2", "2"]}, index=list("pqrs"))
    >>> fig = clr.pl.cluster_flow(AnnData(obs=obs), "a", "b", return_fig=True)
    >>> [int(bar.get_height()) for bar in fig.axes[0].patches]
    [3, 1, 2, 2]
    >>> plt.close(fig)
    """
    table = flow_table(adata, left, right)
    if color_by not in {"left", "right"}:
        msg = f"`color_by` must be 'left' or 'right'; found {color_by!r}."
        raise ValueError(msg)
    check_share(min_fraction=min_fraction)
    if ax is not None and not isinstance(ax, Axes):
        msg = f"`ax` is a {type(ax).__name__}; give an Axes to draw on, or None."
        raise TypeError(msg)

    keys = {"left": left, "right": right}
    names = {side: table[side].cat.categories for side in keys}
    bands = pd.DataFrame(
        {"source": table["left"].cat.codes, "target": table["right"].cat.codes, "n_cells": table["n_cells"]}
    )
    sizes = [
        np.bincount(bands[end], bands["n_cells"], minlength=len(names[side])).astype(np.int64)
        for side, end in (("left", "source"), ("right", "target"))
    ]
    colors = {side: _colors(adata, keys[side], names[side], neutral=side != color_by) for side in keys}
    orders = _river.untangle(_river.River(sizes, [bands]), [table[side].cat.ordered for side in keys])

    most = max(map(len, sizes))
    if ax is None:
        height = max(3.5, 0.17 * most + 0.8)
        ax = plt.figure(figsize=(_WIDTH, height), layout="constrained").add_subplot()
    n_cells = int(bands["n_cells"].sum())
    font = TICK if most <= 30 else SMALL
    gap = 0.2 * n_cells / max(10, most)
    shown = _shown(names)
    starts = _river.stack(sizes, orders, gap=gap, slot=_slot(ax, sizes, gap, font))
    end = "source" if color_by == "left" else "target"
    band_colors = [colors[color_by][bar] for bar in bands[end]]
    wide = bands["n_cells"].to_numpy() >= min_fraction * _river.smaller_bar(bands)
    _river.draw_bands(ax, (_BAR, 1 - _BAR), (starts[0], starts[1]), bands, band_colors, wide)
    if not wide.all():
        left_out = int(bands["n_cells"][~wide].sum()) / n_cells
        words = f"{left_out:.1%}" if left_out >= 0.001 else "less than 0.1%"
        ax.set_xlabel(f"not drawn, in thinner bands: {words} of the cells", fontsize=SMALL)
    for i, (side, title) in enumerate(zip(keys, shorten_together(keys.values()), strict=True)):
        _river.draw_bars(ax, (_BAR / 2, 1 - _BAR / 2)[i], _BAR, sizes[i], starts[i], colors[side])
        for size, start, name in zip(sizes[i], starts[i], shown[side], strict=True):
            ax.text(
                (-0.02, 1.02)[i],
                start + size / 2,
                name,
                ha=("right", "left")[i],
                va="center",
                fontsize=font,
            )
        ax.set_title(title, loc="left" if i == 0 else "right", fontsize=TITLE, fontweight="bold")
    _river.frame(ax, starts, sizes)
    ax.grid(visible=False)
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    drawn = finish([ax], show=show, return_fig=return_fig)
    return drawn[0] if isinstance(drawn, list) else drawn


def _colors(adata: AnnData, key: str, categories: pd.Index, *, neutral: bool) -> list[str]:
    if neutral and f"{key}_colors" not in adata.uns:
        return [GREY] * len(categories)
    return list(category_colors(adata, key, categories).values())


def _shown(names: Mapping[str, pd.Index]) -> dict[str, list[str]]:
    """Shorten the names of both sides against one another."""
    left = len(names["left"])
    shown = shorten_together([*names["left"], *names["right"]])
    return {"left": shown[:left], "right": shown[left:]}


def _slot(ax: Axes, sizes: list[np.ndarray], gap: float, font: float) -> float:
    """Find the height, in cells, of a line of text: it grows with the columns that make room for it."""
    lines = ax.get_window_extent().height / ax.figure.dpi * 72 / (_LINE * font)
    slot = 0.0
    for _ in range(20):
        heights = [float(np.maximum(of_column, slot).sum() + gap * (len(of_column) - 1)) for of_column in sizes]
        slot = max(0.0, max(heights) / max(lines, 1.0) - gap)
        if max(map(len, sizes)) >= 0.9 * lines:
            # There is no room for all names, whatever is done: the bars stay readable.
            return float(sizes[0].sum()) / max(lines, 1.0)
    return slot
