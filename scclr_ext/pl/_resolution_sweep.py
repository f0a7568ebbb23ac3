from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from anndata import AnnData

from scclr_ext._docs import shared_docs
from scclr_ext._keys import CLUSTERS_OBS
from scclr_ext.get._sweep_record import read_sweep
from scclr_ext.pl import _sweep_panels, _sweep_river
from scclr_ext.pl._colors import category_colors
from scclr_ext.pl._layout import finish, host_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

_VERDICT, _CURVES, _RIVER = 0.3, 2.5, 4.6


@shared_docs
def resolution_sweep(
    adata: AnnData,
    *,
    key: str = CLUSTERS_OBS,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> list[Axes] | Figure | None:
    """Show in one figure why there are as many clusters as there are.

    The line at the top says what was chosen and how sure that is: the confidence and two of its parts, the expected
    agreement and the stability when cells are left out, and the best candidate that is unlike the chosen one. Below it
    are

    - *Number of clusters* at each resolution that was tried. A plateau is a number that many resolutions agree on.
      (Methods without a resolution, such as `"kmeans"`, try numbers of clusters, and this panel is left out.)
    - *Criteria*, each between its lowest and its highest value, and the score that the choice goes by. Where they
      peak together, the choice is easy.
    - *Weight* of each candidate as bars, and its *expected ARI*: the agreement with all candidates, each counted by
      its weight. The highest is chosen. A flat curve near 1 says that neighbouring candidates would do as well; one
      that stays low says that good candidates contradict one another.
    - *River*: where cells go from each resolution to the next. A bar is a cluster and as high as it has cells. A
      cluster that splits once and for all is a structure of the data; one whose cells keep changing hands is not.
      Bars have the colour of the chosen cluster that most of their cells belong to.

    The chosen candidate is marked in red. Nothing is written to `adata`:
    :func:`scclr_ext.get.resolution_sweep` returns the table.

    Parameters
    ----------
    adata
        Cells clustered by :func:`scclr_ext.tl.contrastive_cluster` without a `resolution` and without `n_clusters`.
    key
        Name of the record in `uns`: what `contrastive_cluster` was told in `key_added`.
    {panels}

    Returns
    -------
    {panels_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `ax` is nothing to draw into.
    KeyError
        If `uns[key]` is missing.
    ValueError
        If `uns[key]` is not the record of a clustering, or holds no sweep; or `ax` is an Axes outside of any grid.

    Warns
    -----
    UserWarning
        Where the cells were embedded again since they were clustered.

    See Also
    --------
    scclr_ext.pl.cluster_flow : the same kind of river between any two labellings.

    Notes
    -----
    Successive candidates between which no more than 0.5 % of the cells move, all together, share a column of the
    river. Streams of less than 0.5 % of the cells are left out, unless they make up half of a cluster. Clusters are
    ordered such that few cells cross. Colours of the chosen clusters are those of `uns["<key>_colors"]` where they
    exist, otherwise those that scanpy gives by default.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> adata = AnnData(np.zeros((10, 1), dtype="float32"))
    >>> adata.uns["clr_clusters"] = {
    ...     "params": {"use_rep": "X_clr", "method": "leiden", "n_clusters": 2},
    ...     "sweep": {
    ...         "resolution": np.array([0.5, 1.0]),
    ...         "n_clusters": np.array([2, 3]),
    ...         "score": np.array([0.9, 0.4]),
    ...         "weight": np.array([0.8, 0.2]),
    ...         "expected_ari": np.array([0.9, 0.7]),
    ...     },
    ...     "choice": {"index": 0, "n_clusters": 2, "expected_ari": 0.9, "margin": 0.2, "runner_up": 3},
    ...     "flow": {
    ...         "step": np.array([0, 0, 0]),
    ...         "source": np.array([0, 1, 1]),
    ...         "target": np.array([0, 1, 2]),
    ...         "n_cells": np.array([5, 3, 2]),
    ...     },
    ... }
    >>> fig = clr.pl.resolution_sweep(adata, return_fig=True)
    >>> [ax.get_title(loc="left") for ax in fig.axes][1:3]
    ['Number of clusters', 'Criteria, each scaled to 0 to 1']
    >>> plt.close(fig)
    """
    sweep = read_sweep(adata, key)
    colors = _chosen_colors(adata, key, sweep.choice.n_clusters)
    heights = [_VERDICT, _CURVES, _RIVER]
    host = host_for(ax, sum(heights))
    curves: list[str] = (
        ["numbers", "criteria", "agreement"] if sweep.axis == "resolution" else ["criteria", "agreement"]
    )
    rows: list[Any] = [[[["verdict"]]], [[curves]], [[["river"]]]]
    axes = host.subplot_mosaic(rows, height_ratios=heights)
    _sweep_panels.verdict(axes["verdict"], sweep)
    if "numbers" in axes:
        _sweep_panels.numbers(axes["numbers"], sweep)
    _sweep_panels.criteria(axes["criteria"], sweep)
    _sweep_panels.agreement(axes["agreement"], sweep)
    _sweep_river.river(axes["river"], sweep, colors)
    # The mosaic is in no order that is promised: what comes back is a list.
    return finish([axes[name] for name in ("verdict", *curves, "river")], show=show, return_fig=return_fig)


def _chosen_colors(adata: AnnData, key: str, n_clusters: int) -> dict[str, str]:
    """Take the colours that the clusters have elsewhere, even if `obs` has lost some of them since."""
    names = [str(i) for i in range(n_clusters)]
    labels = pd.Series(pd.Categorical(names, categories=names), index=names)
    aside = AnnData(obs=pd.DataFrame({key: labels}))
    if f"{key}_colors" in adata.uns:
        aside.uns[f"{key}_colors"] = adata.uns[f"{key}_colors"]
    return category_colors(aside, key, pd.Index(names))
