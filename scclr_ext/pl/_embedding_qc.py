from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext._docs import shared_docs
from scclr_ext._keys import CLUSTERS_OBS, EMBEDDING_UNS
from scclr_ext.get import embedding_qc as qc_tables
from scclr_ext.get._record import read_record
from scclr_ext.pl import _maps, _panels
from scclr_ext.pl._colors import category_colors
from scclr_ext.pl._layout import finish, panels
from scclr_ext.pl._umap import umap_coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase


@shared_docs
def embedding_qc(
    adata: AnnData,
    *,
    key: str = EMBEDDING_UNS,
    cluster_key: str = CLUSTERS_OBS,
    color: str | Sequence[str] | None = None,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> list[Axes] | Figure | None:
    """Show in one figure whether to trust an embedding.

    The panels, and what to look for:

    - *Loss* over training, with the level of a representation that tells no cells apart. A curve that ends near that
      line has learned nothing; one that still falls steeply may gain from more steps; else more are not
      better (:doc:`/choosing`).
    - *Alignment* (how far two views of a cell lie apart) and *uniformity* (how evenly cells cover the sphere) over
      training, lower is better for both (Wang & Isola, 2020). Alignment near 0 with uniformity near 0 is collapse.
    - *Spectrum*: singular values relative to the largest, with the effective rank (Roy & Vetterli, 2007) and the
      directions that collapsed, those below 1 %.
    - *Cluster sizes*, divided by batch where the embedding had a `batch_key`.
    - *Silhouette* per cluster: mean (point) and middle half of its cells (bar); the dashed line is the mean over all
      cells. Clusters around 0 are not apart from their neighbours in the embedding.
    - *Maps*: the cells coloured by cluster and by batch, or by `color`.

    Nothing is written to `adata`: :func:`scclr_ext.get.embedding_qc` returns the tables.

    Parameters
    ----------
    adata
        Cells embedded by :func:`scclr_ext.tl.contrastive_embed`. Read are `uns[key]`, the embedding it names, and
        where they exist `obs[cluster_key]`, the batches, `obsm["X_umap"]` and the neighbour graph.
    key
        Name of the record in `uns`: what `contrastive_embed` was told in `key_added`.
    cluster_key
        Column of `obs` with clusters. Where there is none of the usual name, the panels about clusters stay empty and
        say so.
    color
        Columns of `obs` or genes that colour the maps after the clusters, in place of the batch. An empty list
        leaves the clusters alone. Counts whose normalising was left to their readers are log-normalised as the model
        reads them.
    {panels}

    Returns
    -------
    {panels_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `ax` is nothing to draw into.
    KeyError
        If `uns[key]`, the embedding it names, a `cluster_key` that was asked for, or a name in `color` is missing.
    ValueError
        If `uns[key]` is not the record of an embedding, or is what is left of several that were joined; or `ax` is an
        Axes outside of any grid.

    Warns
    -----
    UserWarning
        Where the cells were embedded again since they were clustered. Or where the record is of fewer cells: samples
        that were embedded apart, and joined.

    Notes
    -----
    The map is `obsm["X_umap"]` where that shows the neighbours in this embedding as well as a UMAP of it does, which is
    found out by letting a UMAP of up to 3000 cells go on from there. Otherwise, as where it was made of a PCA or of an
    earlier embedding, a UMAP is made on the side with scanpy, from the neighbour graph if its distances are those in
    this embedding, or from the embedding; below 10 cells its principal axes stand in. The titles say which. At most
    50 000 cells are drawn, or used for such a UMAP. Colours are those of `uns["<column>_colors"]` where they exist,
    otherwise those that scanpy gives by default.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> adata = AnnData(obsm={"X_clr": rng.normal(size=(60, 8))})
    >>> history = {"step": np.array([1, 2]), "loss": np.array([3.0, 1.5])}
    >>> adata.uns["clr"] = {"params": {"obsm_key": "X_clr", "chance_loss": 3.1}, "history": history}
    >>> fig = clr.pl.embedding_qc(adata, return_fig=True)
    >>> [ax.get_title(loc="left") for ax in fig.axes][:3]
    ['Training loss', 'Alignment', 'Uniformity']
    >>> plt.close(fig)
    """
    tables = qc_tables(adata, key=key, cluster_key=cluster_key)
    record = read_record(adata, key)
    batch_key = record.batch_key if record.batch_key in adata.obs else ""
    has_clusters = len(tables.clusters) > 0
    map_keys = _maps.keys_to_draw(
        adata, cluster_key=cluster_key if has_clusters else None, batch_key=batch_key, color=color
    )
    cluster_colors = category_colors(adata, cluster_key, tables.clusters.index) if has_clusters else {}
    batch_colors = category_colors(adata, batch_key, tables.batches.columns) if tables.batches.shape[1] else {}
    # Everything that can fail on the data is done before a figure exists.
    maps = _maps.prepare(adata, map_keys, cluster_key=cluster_key)
    coordinates = umap_coordinates(adata, record.obsm_key) if tables.spectrum["relative"].any() else None

    axes = panels(ax, len(maps), list(tables.clusters.index))
    _panels.loss(axes["loss"], tables)
    _panels.training_curve(axes["alignment"], tables, "alignment")
    _panels.training_curve(axes["uniformity"], tables, "uniformity")
    _panels.spectrum(axes["spectrum"], tables)
    _panels.sizes(
        axes["sizes"], tables, cluster_colors, batch_colors, batch_key=batch_key, legend=batch_key not in map_keys
    )
    _panels.silhouettes(axes["silhouette"], tables, cluster_colors)
    for i, shown in enumerate(maps):
        _maps.draw(axes[f"map{i}"], shown, coordinates)
    return finish(list(axes.values()), show=show, return_fig=return_fig)
