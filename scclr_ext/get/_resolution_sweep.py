from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext._keys import CLUSTERS_OBS
from scclr_ext.get._sweep_record import read_sweep

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def resolution_sweep(adata: AnnData, *, key: str = CLUSTERS_OBS) -> pd.DataFrame:
    """Tabulate the resolutions that were tried, what spoke for each, and which one was chosen.

    This is the table behind :func:`scclr_ext.pl.resolution_sweep`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Cells clustered by :func:`scclr_ext.tl.contrastive_cluster` without a `resolution` and without `n_clusters`.
    key
        Name of the record in `uns`: what `contrastive_cluster` was told in `key_added`.

    Returns
    -------
    One row per candidate, lowest resolution first:

    `resolution`, `n_clusters`
        What was tried, and the number of clusters it gave. Methods without a resolution, such as `"kmeans"`, have
        only the latter.
    `modularity`
        Of the clusters on the neighbour graph.
    `separation`, `separation_q10`
        How deep the valley in the density of cells is between a cluster and its neighbours, from 0 to 1: the mean
        over all cells, and what all but the worst tenth of the cells reach.
    `calinski_harabasz`, `silhouette`
        On the embedding, for comparison; NaN where they are undefined.
    `score`
        What the choice goes by.
    `weight`
        How much the candidate counts. The weights sum to 1, or are all 0 if no candidate's clusters are separated.
    `expected_ari`
        Agreement (adjusted Rand index) with all candidates, each counted by its weight: what to expect if one of them
        is right. NaN if no candidate's clusters are separated.
    `chosen`
        True for the candidate that was taken, and for none where all cells were left in one cluster.

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If `uns[key]` is missing.
    ValueError
        If `uns[key]` is not the record of a clustering, or holds no sweep.

    Warns
    -----
    UserWarning
        Where the cells were embedded again since they were clustered.

    See Also
    --------
    scclr_ext.get.cluster_flow : where the cells of one labelling are in another.

    Notes
    -----
    How sure the choice is stands in `uns[key]["choice"]`, and how cells move from each candidate to the next in
    `uns[key]["flow"]`.

    Examples
    --------
    A hand-made record of two candidates:

    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> adata = AnnData(np.zeros((10, 1), dtype="float32"))
    >>> adata.uns["clr_clusters"] = {
    ...     "params": {"use_rep": "X_clr", "method": "leiden", "n_clusters": 2},
    ...     "sweep": {
    ...         "resolution": np.array([0.5, 1.0]),
    ...         "n_clusters": np.array([2, 3]),
    ...         "weight": np.array([0.8, 0.2]),
    ...     },
    ...     "choice": {"index": 0, "n_clusters": 2, "expected_ari": 0.9, "margin": 0.2, "runner_up": 3},
    ...     "flow": {
    ...         "step": np.array([0, 0, 0]),
    ...         "source": np.array([0, 1, 1]),
    ...         "target": np.array([0, 1, 2]),
    ...         "n_cells": np.array([5, 3, 2]),
    ...     },
    ... }
    >>> clr.get.resolution_sweep(adata)
               resolution  n_clusters  weight  chosen
    candidate
    0                 0.5           2     0.8    True
    1                 1.0           3     0.2   False
    """
    sweep = read_sweep(adata, key)
    table = sweep.table.rename_axis(index="candidate")
    table["chosen"] = np.arange(len(table)) == sweep.choice.index
    return table
