from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from scclr_ext._anndata import names
from scclr_ext._docs import shared_docs
from scclr_ext._keys import STABILITY_UNS
from scclr_ext.get import stability as stability_tables
from scclr_ext.get._stability import read_stability
from scclr_ext.pl import _maps, _stability_panels
from scclr_ext.pl._colors import category_colors
from scclr_ext.pl._layout import finish, host_for
from scclr_ext.pl._umap import stored_umap, umap_coordinates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

_PAIRS, _CLUSTERS, _MAPS = 2.7, 2.3, 3.7


@shared_docs
def stability(
    adata: AnnData,
    *,
    key: str = STABILITY_UNS,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> list[Axes] | Figure | None:
    """Show in one figure what repeated runs with other seeds agree on.

    The panels, and what to look for:

    - *Agreement of clusters*: the adjusted Rand index of each pair of runs. A single pale row is one odd run; pale
      everywhere means that a single clustering should not be relied on.
    - *Shared neighbours*: the share of nearest neighbours that each pair of runs has in common. Everything that goes
      on from the neighbour graph (UMAP, pseudotime) moves with them.
    - *Variation of scores*: the coefficient of variation (SD over mean) of each score over the runs, as in figure 9a
      of Ciortan & Defrance (2021); shorter is more stable.
    - *Confidence per cluster* of the consensus: mean (point) and middle half of its cells (bar); the dashed line is
      the mean over all cells. A cluster far below 1 was split, merged or lost in some runs.
    - *Maps*: the consensus clusters, and the confidence of each cell. Low values along borders are cells in between;
      low values all over a cluster mean that the cluster itself is in doubt.

    Nothing is written to `adata`: :func:`scclr_ext.get.stability` returns the tables.

    Parameters
    ----------
    adata
        Cells after :func:`scclr_ext.tl.stability`. Read are `uns[key]`, the two columns of `obs` it names and, for the
        maps, `obsm["X_umap"]` or the embedding that was repeated.
    key
        Name of the record in `uns`: what `tl.stability` was told in `key_added`.
    {panels}

    Returns
    -------
    {panels_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `ax` is nothing to draw into.
    KeyError
        If `uns[key]` or a column of `obs` that it names is missing.
    ValueError
        If `uns[key]` is not the record of repeated runs, or there are no cells; or `ax` is an Axes outside of any grid.

    Warns
    -----
    UserWarning
        If there are more cells than were run.

    See Also
    --------
    scclr_ext.pl.cluster_flow : consensus clusters against other clusters or cell types.

    Notes
    -----
    The maps are those of :func:`scclr_ext.pl.embedding_qc`, of the embedding that was repeated. Where that is gone,
    they are `obsm["X_umap"]`, whatever it was made of, as their titles say; without either there are none. Colours are
    those of `uns["clr_consensus_colors"]` where they exist, otherwise those that scanpy gives by default. Where cells
    were taken away since, the first three panels are of all cells that were run, the others of those that are left.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> rates = np.where(np.arange(40) // 20 == np.arange(60)[:, None] // 30, 4.0, 0.5)
    >>> adata = ad.AnnData(rng.poisson(rates).astype("float32"))
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.stability(adata, "scclr", n_seeds=2, n_steps=60, n_clusters=2, progress=False, device="cpu")
    >>> fig = clr.pl.stability(adata, return_fig=True)
    >>> [ax.get_title(loc="left") for ax in fig.axes][:2]
    ['Agreement of clusters (ARI)', 'Shared neighbours']
    >>> plt.close(fig)
    """
    tables = stability_tables(adata, key=key)
    params = read_stability(adata, key)["params"]
    columns = {name: str(params[f"{name}_key"]) for name in ("clusters", "confidence")}
    for column in columns.values():
        if column not in adata.obs:
            msg = (
                f"adata.obs has no {column!r} (it has: {names(adata.obs)}), which adata.uns[{key!r}] names. Call "
                "`scclr_ext.tl.stability(adata)` again, or put the column back."
            )
            raise KeyError(msg)
    if adata.n_obs == 0:
        msg = "adata has no cells left; give the AnnData that `scclr_ext.tl.stability` was called with."
        raise ValueError(msg)
    labels = pd.Categorical(adata.obs[columns["clusters"]].astype(str), categories=tables.clusters.index)
    colors = category_colors(_recoded(adata, columns["clusters"], labels), columns["clusters"], labels.categories)
    confidence = adata.obs[columns["confidence"]].to_numpy(dtype=np.float64)
    # Everything that can fail on the data is done before a figure exists.
    coordinates = None
    obsm_key = str(params["obsm_key"])
    if obsm_key in adata.obsm:
        coordinates = umap_coordinates(adata, obsm_key)
    elif "X_umap" in adata.obsm:
        coordinates = stored_umap(adata)
    maps = [
        _maps.Map("consensus", categories=labels, colors=colors, on_data=True),
        _maps.Map("confidence", numbers=confidence),
    ]

    heights = [_PAIRS, _CLUSTERS, *([_MAPS] if coordinates is not None else [])]
    host = host_for(ax, sum(heights))
    rows: list[Any] = [[[["ari", "overlap", "variation"]]], [[["clusters"]]]]
    if coordinates is not None:
        rows.append([[["map0", "map1"]]])
    axes = host.subplot_mosaic(rows, height_ratios=heights)
    _stability_panels.pairs(axes["ari"], tables.ari, "Agreement of clusters (ARI)")
    _stability_panels.pairs(axes["overlap"], tables.neighbor_overlap, "Shared neighbours")
    _stability_panels.variation(axes["variation"], tables.variation)
    _stability_panels.clusters(axes["clusters"], tables, labels, confidence, colors)
    if coordinates is not None:
        for i, shown in enumerate(maps):
            _maps.draw(axes[f"map{i}"], shown, coordinates)
    order = [name for name in ("ari", "overlap", "variation", "clusters", "map0", "map1") if name in axes]
    return finish([axes[name] for name in order], show=show, return_fig=return_fig)


def _recoded(adata: AnnData, column: str, labels: pd.Categorical) -> AnnData:
    """Put the clusters into an AnnData aside, all of them, even those that have lost their cells since."""
    aside = AnnData(obs=pd.DataFrame({column: labels}, index=adata.obs_names))
    if f"{column}_colors" in adata.uns:
        aside.uns[f"{column}_colors"] = adata.uns[f"{column}_colors"]
    return aside
