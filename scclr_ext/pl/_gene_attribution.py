from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from scclr_ext._checks import check_whole
from scclr_ext._docs import shared_docs
from scclr_ext._keys import ATTRIBUTION
from scclr_ext.get import gene_attribution as attribution_table
from scclr_ext.get._gene_attribution import read_attribution
from scclr_ext.get._markers import RANKED, marker_scores
from scclr_ext.pl._colors import BLUE, GREY, LIGHT_GREY, VERMILLION
from scclr_ext.pl._layout import WIDTH, finish, host_for
from scclr_ext.pl._style import LABEL, LEGEND, SMALL, TICK, dress, ink, note, shorten, shorten_together, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

_LINE, _HEAD = 0.15, 0.75
"""Inches for a gene, and for what stands above and below them."""
_COLUMNS = 4
_LONG_TITLE = 12
"""Characters of a name that still fit on a line with "drivers"."""
_MOST_GENES = 100
"""More names per panel take minutes to lay out, and nobody reads them."""


@shared_docs
def gene_attribution(
    adata: AnnData,
    groups: str | Sequence[str] | None = None,
    *,
    n_genes: int = 15,
    key: str = ATTRIBUTION,
    rank_key: str | None = None,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> list[Axes] | Figure | None:
    """Show the genes that drive the embedding or a group in it, beside the genes that differ most.

    For each group there are

    - *the drivers*: the genes with the highest contributions, as shares of the way that the group's cells are moved
      from the reference. Blue: the gene is higher in the group than in the reference; orange: it is lower, and moves
      cells by its absence.
    - *its markers*, where `sc.tl.rank_genes_groups` was called for the same groups: the genes with the highest scores.
      Those that are also among the driving genes shown are dark. Few dark bars mean that the network tells the group
      by other genes than a test would name, or that it chose some among many that go together.

    Nothing is written to `adata`: :func:`scclr_ext.get.gene_attribution` returns the table.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes, after :func:`scclr_ext.tl.gene_attribution`.
    groups
        Group or groups to show; None for all.
    n_genes
        Genes per group, of which at most 100 are drawn.
    key
        Name of the record: what `tl.gene_attribution` was told in `key_added`.
    rank_key
        Key in `uns` of `sc.tl.rank_genes_groups`. None takes `"rank_genes_groups"` where it is there and has the same
        groups.
    {panels}

    Returns
    -------
    {panels_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `ax` is nothing to draw into.
    KeyError
        If `uns[key]` or what it names in `varm`, `uns[rank_key]` or a group is missing.
    ValueError
        If `uns[key]` is not the record of attributions, `uns[rank_key]` is of other groups, or `n_genes` is below 1; or
        `ax` is an Axes outside of any grid.

    Warns
    -----
    UserWarning
        Where `rank_key` is not given and `uns["rank_genes_groups"]` is of other groups (it is left out), some of the
        genes with attributions are missing, or the cells were embedded again since.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> adata = ad.AnnData(np.zeros((4, 2), dtype="float32"))
    >>> adata.varm["clr_attribution"] = np.array([[0.2], [0.6]])
    >>> adata.varm["clr_attribution_difference"] = np.array([[-1.0], [2.0]])
    >>> params = {"groupby": "type", "reference": "rest", "difference_key": "clr_attribution_difference"}
    >>> record = {"params": params, "groups": np.array(["monocytes"]), "genes": np.array(["0", "1"])}
    >>> adata.uns["clr_attribution"] = record | {"total": np.array([0.8]), "error": np.array([0.0])}
    >>> fig = clr.pl.gene_attribution(adata, return_fig=True)
    >>> fig.axes[0].get_title(loc="left")
    'monocytes: drivers'
    >>> plt.close(fig)
    """
    check_whole(1, n_genes=n_genes)
    n_genes = min(int(n_genes), _MOST_GENES)
    table = attribution_table(adata, groups, n_genes=n_genes, key=key, rank_key=rank_key)
    shown = list(table["group"].cat.categories)
    against = str(read_attribution(adata, key)["params"]["reference"]) or "the average cell"
    ranked = adata.uns[rank_key or RANKED] if "marker_score" in table else None
    markers = {group: marker_scores(ranked, group)[:n_genes] for group in shown}
    beside = any(len(scores) for scores in markers.values())

    panels = [name for i in range(len(shown)) for name in ((f"drive{i}", f"mark{i}") if beside else (f"drive{i}",))]
    width = min(_COLUMNS, len(panels))
    rows: list[Any] = [panels[i : i + width] for i in range(0, len(panels), width)]
    rows[-1] = rows[-1] + ["."] * (width - len(rows[-1]))
    most = max((table["group"] == group).sum() for group in shown)
    titles = shorten_together(shown)
    host = host_for(ax, len(rows) * (_HEAD + _LINE * max(most, 5)))
    room = _LONG_TITLE * width_of(host) / WIDTH * _COLUMNS / width
    between = ":\n" if max(map(len, titles)) > room else ": "
    axes = host.subplot_mosaic(rows)
    for i, (group, title) in enumerate(zip(shown, titles, strict=True)):
        own = table[table["group"] == group]
        _drivers(axes[f"drive{i}"], own, f"{title}{between}drivers")
        if beside:
            _markers(axes[f"mark{i}"], markers[group], set(own["gene"]), f"{title}{between}markers")
    # What the bars are stands below the last of each kind, for all of them.
    axes[f"drive{len(shown) - 1}"].set_xlabel(f"share of the way\nfrom {shorten(against)}", fontsize=LABEL)
    if beside:
        axes[f"mark{len(shown) - 1}"].set_xlabel("score in\nrank_genes_groups", fontsize=LABEL)
    if table["difference"].any():
        _explain(host)
    return finish([axes[name] for name in panels], show=show, return_fig=return_fig)


def _explain(host: FigureBase) -> None:
    handles = [Patch(color=BLUE), Patch(color=VERMILLION)]
    names = ["higher in the group", "lower"]
    host.legend(handles, names, fontsize=TICK, loc="outside lower left", ncols=2, **LEGEND)


def _drivers(ax: Axes, table: pd.DataFrame, title: str) -> None:
    dress(ax, title)
    if not len(table) or table["share"].isna().all():
        note(ax, "the network moves these cells nowhere")
        return
    compared = table["difference"].any()  # all cells together have no reference
    colors = np.where(table["difference"] >= 0, BLUE, VERMILLION) if compared else [GREY] * len(table)
    _bars(ax, list(table["gene"]), table["share"].to_numpy(), colors)


def _markers(ax: Axes, scores: pd.Series, drivers: set[str], title: str) -> None:
    dress(ax, title)
    if not len(scores):
        note(ax, "rank_genes_groups does not\nlist this group")
        return
    _bars(ax, list(scores.index), scores.to_numpy(), [GREY if gene in drivers else LIGHT_GREY for gene in scores.index])


def _bars(ax: Axes, genes: list[str], values: np.ndarray, colors: Any) -> None:
    y = np.arange(len(genes))[::-1]
    ax.barh(y, values, 0.75, color=colors)
    ax.axvline(0, color=ink(), linewidth=0.6)
    ax.set_yticks(y, shorten_together(genes), fontsize=TICK if len(genes) <= 20 else SMALL)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.7, len(genes) - 0.3)
