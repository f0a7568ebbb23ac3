from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from scclr_ext._docs import shared_docs
from scclr_ext._keys import PSEUDOTIME_OBS
from scclr_ext.get import pseudotime_order as order_table
from scclr_ext.pl._colors import category_colors
from scclr_ext.pl._groups import ramp
from scclr_ext.pl._layout import finish
from scclr_ext.pl._style import TICK, dress, ink, shorten, shorten_together

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.figure import Figure

_WIDTH, _OUTER, _PER_STAGE = 5.0, 1.0, 0.34
_BAND = 0.62
"""Height of a stage's band of points, of the distance between stages."""


@shared_docs
def pseudotime_order(
    adata: AnnData,
    stage: str,
    *,
    key: str = PSEUDOTIME_OBS,
    title: str | None = None,
    show: bool | None = None,
    ax: Axes | None = None,
    return_fig: bool | None = None,
) -> Axes | Figure | None:
    """Show the known stage of each cell against its pseudotime, with Spearman's correlation.

    Each row is a stage and each point a cell, from left to right as the pseudotime orders them; the line marks the
    stage's median. Where the order is right, the points climb like stairs. Cells that cannot be reached from the root
    are counted beside the axes and left out of the correlation. Nothing is written to `adata`:
    :func:`scclr_ext.get.pseudotime_order` returns the table.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    stage
        Column of `obs` with the stages: categories in their order (an ordered categorical, or one whose categories
        stand in order), or numbers, such as days.
    key
        Column of `obs` with the pseudotime; `"dpt_pseudotime"` for that of `sc.tl.dpt`.
    title
        Words above the figure. `None` writes the name of the column.
    {show}
    ax
        Axes to draw on. `None` makes a figure whose height suits the number of stages.
    {return_fig}

    Returns
    -------
    {axes_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, the pseudotime is not numeric, or `ax` no Axes.
    KeyError
        If a column is missing.
    ValueError
        If no cell has a stage.

    Warns
    -----
    UserWarning
        If nobody said how the stages follow one another and their names, which have no numbers, had to. Or if the
        cells were embedded again since they were put in order.

    Notes
    -----
    Colours are those of `uns["<stage>_colors"]` where they exist, otherwise a ramp from the first stage to the last.
    Cells of a stage are tied, pseudotimes are not: even a perfect order has a Spearman correlation below 1.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = pd.DataFrame({"day": [0, 0, 1, 2], "clr_pseudotime": [0.0, 0.1, 0.6, 1.0]}, index=list("abcd"))
    >>> ax = clr.pl.pseudotime_order(AnnData(obs=obs), "day", show=False)
    >>> ax.get_title(loc="right")
    'Spearman 0.949'
    >>> plt.close(ax.figure)
    """
    table = order_table(adata, stage, key=key)
    if ax is not None and not isinstance(ax, Axes):
        msg = f"`ax` is a {type(ax).__name__}; give an Axes to draw on, or None."
        raise TypeError(msg)
    stages = table["stage"].cat.categories
    colors = category_colors(adata, stage, stages) if f"{stage}_colors" in adata.uns else ramp(stages)

    if ax is None:
        size = (_WIDTH, max(2.2, _OUTER + _PER_STAGE * len(stages)))
        ax = plt.figure(figsize=size, layout="constrained").add_subplot()
    dress(ax, shorten(key) if title is None else title, xlabel="pseudotime", ylabel=shorten(stage))
    _draw(ax, table, colors)
    ax.set_yticks(range(len(stages)), shorten_together(stages), fontsize=TICK)
    ax.set_ylim(-0.6, len(stages) - 0.4)
    rho = table["pseudotime"].corr(table["order"], method="spearman")
    ax.set_title(f"Spearman {rho:.3f}" if np.isfinite(rho) else "no order", loc="right", fontsize=TICK)
    drawn = finish([ax], show=show, return_fig=return_fig)
    return drawn[0] if isinstance(drawn, list) else drawn


def _draw(ax: Axes, table: pd.DataFrame, colors: dict[str, str]) -> None:
    size = float(np.clip(4000 / len(table), 2, 18))
    for i, name in enumerate(table["stage"].cat.categories):
        rows = table[table["stage"] == name]
        reached = rows["pseudotime"].dropna().sort_values().to_numpy()
        # Multiples of the golden ratio spread neighbours evenly, the same way every time.
        y = i + ((np.arange(len(reached)) * 0.618034) % 1 - 0.5) * _BAND
        ax.scatter(reached, y, s=size, c=colors[name], edgecolors=ink(), linewidths=0.25, rasterized=True, zorder=2)
        if len(reached):
            ax.vlines(np.median(reached), i - 0.42, i + 0.42, color=ink(), linewidth=1.2, zorder=3)
        if lost := len(rows) - len(reached):
            place = ax.get_yaxis_transform()
            ax.text(1.01, i, f"{lost} not reached", transform=place, ha="left", va="center", fontsize=TICK)
