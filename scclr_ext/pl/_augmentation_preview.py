from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext._checks import check_whole
from scclr_ext._docs import shared_docs
from scclr_ext.get import augmentation_preview as view_table
from scclr_ext.pl._layout import finish, host_for
from scclr_ext.pl._style import LABEL, TICK, dress, paper, shorten_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from scclr_ext.engine.config import MethodConfig

_OUTER, _ROW = 0.75, 0.21
"""Inches: what a cell's panel needs beside its rows, and for each row."""
_SAME = 1e-6


@shared_docs
def augmentation_preview(
    adata: AnnData,
    method: str | MethodConfig = "clear",
    *,
    preset: str | None = None,
    cells: int | Sequence[str] = 2,
    n_genes: int = 60,
    layer: str | None = None,
    mask_var: str | NDArray[np.bool_] | None = "auto",
    random_state: int = 0,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> list[Axes] | Figure | None:
    """Show what the distortions of a method do to a few cells: the views that its training compares.

    A panel is a cell and a column a gene: those with the highest values in this cell, highest first. The top row is
    the cell as it is, the rows below it each distortion by itself, and the last two are whole views as the training
    draws them: a network that tells these two from views of other cells has learned what the distortions leave. Beside
    each row stand the share of all genes whose value changed and the correlation with the cell as it was. Nothing is
    trained, and nothing is written to `adata`: :func:`scclr_ext.get.augmentation_preview` returns the table.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes, log-normalised as :func:`scclr_ext.pp.contrastive_preprocess` leaves it.
    method
        Name of a method, or its config, as in :func:`scclr_ext.tl.contrastive_embed`.
    preset
        Name of one of the method's presets; None for the recommended one.
    cells
        Names of the cells, or how many to draw at random.
    n_genes
        Genes to draw. Shares and correlations are of all.
    layer
        Take the values from this layer instead of `X`.
    mask_var
        Genes the model sees: as in :func:`scclr_ext.tl.contrastive_embed`.
    random_state
        Seed of everything random.
    {panels}

    Returns
    -------
    `None` if the figure is shown, the list of its Axes, one per cell, with `show=False`, the Figure with
    `return_fig=True`.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, `method` neither a name nor a config, or `ax` is nothing to draw into.
    KeyError
        If a cell, `layer` or `mask_var` is missing, or several cells have that name.
    ValueError
        If the values cannot be trained on, the method or preset is unknown, or `cells` or `n_genes` is out of range.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> adata = ad.AnnData(np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32"))
    >>> clr.pp.contrastive_preprocess(adata)
    >>> axes = clr.pl.augmentation_preview(adata, "scclr", cells=["3"], show=False)
    >>> [label.get_text() for label in axes[0].get_yticklabels()]
    ['the cell', 'gene subset', 'view 1', 'view 2']
    >>> plt.close(axes[0].figure)
    """
    check_whole(1, n_genes=n_genes)
    table = view_table(
        adata, method, preset=preset, cells=cells, layer=layer, mask_var=mask_var, random_state=random_state
    )
    names = table["cell"].unique()
    n_rows = 1 + table["step"].nunique()
    host = host_for(ax, len(names) * (_OUTER + _ROW * n_rows))
    axes = host.subplots(len(names), 1, squeeze=False).ravel().tolist()
    shown = table["before"].abs().to_numpy()
    limit = float(np.quantile(shown[shown > 0], 0.98)) if (shown > 0).any() else 1.0
    low = 0.0 if table["before"].min() >= 0 else -limit
    images = [
        _draw(panel, table[table["cell"] == name], title, n_genes, (low, limit))
        for panel, name, title in zip(axes, names, shorten_together(names), strict=True)
    ]
    bar = host.colorbar(images[0], ax=axes, shrink=0.6, aspect=25, pad=0.01)
    bar.set_label("value the model reads", fontsize=TICK)
    bar.ax.tick_params(labelsize=TICK)
    return finish(axes, show=show, return_fig=return_fig)


def _draw(ax: Axes, rows: pd.DataFrame, title: str, n_genes: int, limits: tuple[float, float]) -> AxesImage:
    steps = list(rows["step"].unique())
    before = rows.loc[rows["step"] == steps[0], "before"].to_numpy()
    after = np.array([rows.loc[rows["step"] == step, "after"].to_numpy() for step in steps])
    order = np.argsort(-before, kind="stable")[:n_genes]
    colors = "viridis" if limits[0] == 0 else "RdBu_r"
    image = ax.imshow(
        np.vstack([before, after])[:, order],
        aspect="auto",
        cmap=colors,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="none",
    )
    dress(ax, title, xlabel=f"the {len(order)} genes with the highest values")
    ax.set_yticks(range(len(steps) + 1), ["the cell", *steps], fontsize=TICK)
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    for edge in [0.5, len(steps) - 1.5]:  # under the cell itself, and above the whole views
        ax.axhline(edge, color=paper(), linewidth=3)
    ax.text(1.005, 1.02, "changed, r", transform=ax.transAxes, fontsize=TICK, va="bottom")
    for i, values in enumerate(after):
        changed = float((np.abs(values - before) > _SAME).mean())
        ax.text(
            len(order) - 0.3, i + 1, f"{changed:4.0%}, {_correlation(values, before)}", fontsize=LABEL - 1, va="center"
        )
    return image


def _correlation(a: np.ndarray, b: np.ndarray) -> str:
    return f"{np.corrcoef(a, b)[0, 1]:.2f}" if np.ptp(a) > 0 and np.ptp(b) > 0 else "-"
