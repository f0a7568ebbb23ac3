"""Of which cells the numbers of repeated runs are: those that were run, or those of them that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scclr_ext._records import UNSURE
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData


def of_these_cells(
    adata: AnnData, key: str, record: Mapping[str, Any], clusters: pd.DataFrame
) -> tuple[pd.DataFrame, float]:
    """Return the clusters and the share of unsure cells as recorded, or counted anew where cells were taken away."""
    recorded = clusters, float(record["unsure"])
    n_run = int(clusters["n_cells"].sum())
    if adata.n_obs > n_run:
        warn(
            f"adata has {adata.n_obs} cells, of which {n_run} at most were run repeatedly: the numbers in "
            f"adata.uns[{key!r}] are of those. Call scclr_ext.tl.stability(adata, ...) again for all of them."
        )
    if adata.n_obs >= n_run:
        return recorded
    columns = [str(record.get("params", {}).get(f"{what}_key", "")) for what in ("clusters", "confidence")]
    if any(column not in adata.obs for column in columns):
        return recorded
    codes = clusters.index.get_indexer(adata.obs[columns[0]].astype(str))
    confidence = adata.obs[columns[1]].to_numpy(dtype=np.float64, na_value=np.nan)
    if (codes < 0).any() or np.isnan(confidence).any():  # renamed since, perhaps
        return recorded
    by_cluster = pd.Series(confidence).groupby(codes).agg(["size", "mean"]).reindex(range(len(clusters)))
    sizes = by_cluster["size"].fillna(0).astype(np.int64).to_numpy()
    left = clusters.assign(n_cells=sizes, confidence=by_cluster["mean"].to_numpy())
    return left, float(np.mean(confidence < UNSURE)) if len(confidence) else float("nan")
