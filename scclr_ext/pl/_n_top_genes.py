from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from scclr_ext._docs import shared_docs
from scclr_ext.get import n_top_genes as number_table
from scclr_ext.pl._colors import BLUE, VERMILLION
from scclr_ext.pl._layout import finish
from scclr_ext.pl._style import SMALL, dress

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure


@shared_docs
def n_top_genes(
    adata: AnnData,
    *,
    show: bool | None = None,
    ax: Axes | None = None,
    return_fig: bool | None = None,
) -> Axes | Figure | None:
    """Show why the model sees as many genes as it does.

    The curve is Moran's I: how alike nearest neighbours are in genes that had no say in finding them, by the number of
    genes they were found with. The band is one standard deviation over the splits of the genes, less what
    all numbers share. The number chosen is marked in red. A flat curve says that the number hardly matters. Nothing is
    written to `adata`: :func:`scclr_ext.get.n_top_genes` returns the table.

    Parameters
    ----------
    adata
        Cells preprocessed by :func:`scclr_ext.pp.select_n_top_genes`.
    {show}
    ax
        Axes to draw on. `None` makes a figure.
    {return_fig}

    Returns
    -------
    {axes_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `ax` no Axes.
    KeyError
        If `uns["clr_n_top_genes"]` is missing.
    ValueError
        If it is not what :func:`scclr_ext.pp.select_n_top_genes` writes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> adata = AnnData(np.zeros((3, 2), dtype="float32"))
    >>> adata.uns["clr_n_top_genes"] = {
    ...     "n_top_genes": 1000,
    ...     "candidates": np.array([500, 1000, 2000]),
    ...     "morans_i": np.array([0.21, 0.25, 0.24]),
    ...     "spread": np.array([0.01, 0.01, 0.02]),
    ... }
    >>> fig = clr.pl.n_top_genes(adata, return_fig=True)
    >>> fig.axes[0].get_xlabel()
    'genes the model sees'
    >>> plt.close(fig)
    """
    table = number_table(adata)
    if ax is None:
        _, ax = plt.subplots(figsize=(4.6, 3.0), layout="constrained")
    elif not isinstance(ax, Axes):
        msg = f"`ax` is a {type(ax).__name__}; give an Axes to draw on, or None."
        raise TypeError(msg)
    dress(ax, "Number of genes", xlabel="genes the model sees", ylabel="Moran's I of other genes")
    x, score, spread = table.index.to_numpy(), table["morans_i"].to_numpy(), table["spread"].to_numpy()
    ax.fill_between(x, score - spread, score + spread, color=BLUE, alpha=0.15, linewidth=0)
    ax.plot(x, score, color=BLUE, linewidth=1.4, marker="o", markersize=4)
    chosen = table["chosen"].to_numpy()
    ax.axvline(x[chosen][0], color=VERMILLION, linestyle="--", linewidth=1, zorder=0)
    ax.plot(x[chosen], score[chosen], "o", color=VERMILLION, markersize=7, zorder=3)
    ax.annotate(
        f"{x[chosen][0]} chosen",
        (x[chosen][0], 0.04),
        xycoords=("data", "axes fraction"),
        xytext=(4 if x[chosen][0] <= x.mean() else -4, 0),
        textcoords="offset points",
        ha="left" if x[chosen][0] <= x.mean() else "right",
        fontsize=SMALL,
        color=VERMILLION,
    )
    done = finish([ax], show=show, return_fig=return_fig)
    return ax if isinstance(done, list) else done
