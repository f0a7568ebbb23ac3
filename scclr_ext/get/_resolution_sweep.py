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
        What was tried, and the number of clusters it gave.
    `modularity`, `separation`, `separation_q10`, `calinski_harabasz`, `silhouette`
        The criteria. `separation` is the mean over the clusters, between 0 and 1, and `separation_q10` the tenth
        percentile: what the worst separated clusters reach. NaN where a criterion is undefined.
    `score`
        The criteria combined.
    `weight`
        How much the candidate counts as the right one; the weights of all candidates sum to 1.
    `expected_ari`
        The adjusted Rand index with the right partition to be expected from those weights; NaN if no candidate was
        admissible.
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

    See Also
    --------
    scclr_ext.get.cluster_flow : where the cells of one labelling are in another.

    Notes
    -----
    How cells move from each candidate to the next is kept in `uns[key]["flow"]`, and how sure the choice is in
    `uns[key]["choice"]`.

    Examples
    --------
    A hand-made record of two candidates:

    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> adata = AnnData(np.zeros((10, 1), dtype="float32"))
    >>> adata.uns["clr_clusters"] = {
    ...     "params": {"use_rep": "X_clr", "method": "leiden"},
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
