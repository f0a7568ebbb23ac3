from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scclr_ext._keys import STABILITY_UNS
from scclr_ext._records import STABILITY, find_record
from scclr_ext.get._columns import table_of
from scclr_ext.get._stability_cells import of_these_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

_SCORES = (
    "n_clusters",
    "silhouette",
    "calinski_harabasz",
    "ari",
    "nmi",
    "mean_ari",
    "neighbor_overlap",
    "effective_rank",
    "final_loss",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stability:
    """Tables that tell what repeated runs agree on; see :func:`~scclr_ext.get.stability`."""

    summary: pd.DataFrame
    """One row, one column per number."""
    runs: pd.DataFrame
    """One row per run, by seed."""
    variation: pd.DataFrame
    """One row per score of the runs: mean, standard deviation, coefficient of variation."""
    ari: pd.DataFrame
    """Adjusted Rand index of the clusters of each pair of runs."""
    neighbor_overlap: pd.DataFrame
    """Share of nearest neighbours that each pair of runs has in common."""
    clusters: pd.DataFrame
    """One row per consensus cluster."""


def stability(adata: AnnData, *, key: str = STABILITY_UNS) -> Stability:
    """Collect what the runs of :func:`scclr_ext.tl.stability` agree on.

    These are the tables behind :func:`scclr_ext.pl.stability`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes, after :func:`scclr_ext.tl.stability`.
    key
        Name of the record in `uns`: what `tl.stability` was told in `key_added`.

    Returns
    -------
    An object with these tables (:class:`pandas.DataFrame`):

    `summary`
        One row, index `key`: `n_runs`; `n_cells`; `n_clusters` of the consensus; `mean_ari` and `min_ari` over pairs of
        runs; `neighbor_overlap`, its mean over pairs; `confidence`, its mean over cells; `unsure`, the share of
        cells with a confidence below 0.5.
    `runs`
        One row per run, index `seed`: `n_clusters`, `silhouette` (of the run's own clusters, on up to 2000 cells) and
        `calinski_harabasz` in the run's embedding, `ari` and `nmi` against known labels where `labels` were
        given, `mean_ari` and `neighbor_overlap` with the other runs, `effective_rank` and `final_loss`.
    `variation`
        One row per column of `runs`: `mean`, `sd` (with n - 1), and `cv`, the coefficient of variation: `sd` divided
        by the absolute `mean`; NaN where the mean is zero.
    `ari`, `neighbor_overlap`
        One row and one column per seed.
    `clusters`
        One row per consensus cluster: `n_cells`, and the means over its cells of `confidence` and
        `neighbor_overlap`.

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If `uns[key]` is missing.
    ValueError
        If `uns[key]` is not the record of repeated runs.

    Warns
    -----
    UserWarning
        If there are more cells than were run.

    Notes
    -----
    Where cells were taken away since, `n_cells`, `confidence` and `unsure` are of those that are left, if `obs` has
    still their clusters and their confidence. What is compared between runs is of all cells that were run: call
    :func:`scclr_ext.tl.stability` again to learn how far runs agree on these alone.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> rates = np.where(np.arange(40) // 20 == np.arange(60)[:, None] // 30, 4.0, 0.5)
    >>> adata = ad.AnnData(rng.poisson(rates).astype("float32"))
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.stability(adata, "scclr", n_seeds=2, n_steps=60, n_clusters=2, progress=False, device="cpu")
    >>> tables = clr.get.stability(adata)
    >>> tables.summary[["n_runs", "n_clusters", "mean_ari", "confidence"]]
                   n_runs  n_clusters  mean_ari  confidence
    clr_stability       2           2       1.0         1.0
    """
    record = read_stability(adata, key)
    runs = table_of(record["runs"], _SCORES).set_index("seed")
    square = {
        name: pd.DataFrame(np.asarray(record[name]), index=runs.index, columns=runs.index)
        for name in ("ari", "neighbor_overlap")
    }
    clusters = table_of(record["clusters"], ("cluster", "n_cells", "confidence", "neighbor_overlap"))
    clusters = clusters.astype({"cluster": str}).set_index("cluster")
    clusters, unsure = of_these_cells(adata, key, record, clusters)
    pairs = np.triu_indices(len(runs), 1)
    n_cells = int(clusters["n_cells"].sum())
    summary = {
        "n_runs": len(runs),
        "n_cells": n_cells,
        "n_clusters": len(clusters),
        "mean_ari": float(square["ari"].to_numpy()[pairs].mean()),
        "min_ari": float(square["ari"].to_numpy()[pairs].min()),
        "neighbor_overlap": float(square["neighbor_overlap"].to_numpy()[pairs].mean()),
        "confidence": float((clusters["n_cells"] * clusters["confidence"]).sum() / n_cells) if n_cells else np.nan,
        "unsure": unsure,
    }
    return Stability(
        summary=pd.DataFrame(summary, index=[key]),
        runs=runs,
        variation=_variation(runs),
        clusters=clusters,
        **square,
    )


def _variation(runs: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({"mean": runs.mean(), "sd": runs.std(ddof=1)})
    table["cv"] = (table["sd"] / table["mean"].abs()).where(table["mean"] != 0)
    return table.rename_axis(index="score")


def read_stability(adata: AnnData, key: str) -> Mapping[str, Any]:
    """Find the record that :func:`scclr_ext.tl.stability` left under `adata.uns[key]`."""
    return find_record(adata, key, STABILITY)
