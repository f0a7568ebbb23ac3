from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import check_column
from scclr_ext._categories import categories_of
from scclr_ext._keys import CLUSTERS_OBS, EMBEDDING_UNS
from scclr_ext._records import CLUSTERS, is_record
from scclr_ext._stale import warn_of_earlier_training, warn_of_other_cells
from scclr_ext.get._clusters import batch_table, cluster_table, silhouette_widths
from scclr_ext.get._columns import table_of
from scclr_ext.get._record import read_record
from scclr_ext.metrics import effective_rank, singular_values

if TYPE_CHECKING:
    from anndata import AnnData

_HISTORY = ("step", "epoch", "loss", "alignment", "uniformity", "effective_rank")
COLLAPSED_BELOW = 0.01
"""A direction with less than this share of the strongest singular value carries a ten-thousandth of its variance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingQC:
    """Tables that tell whether to trust an embedding; see :func:`~scclr_ext.get.embedding_qc`."""

    summary: pd.DataFrame
    """One row, one column per number."""
    history: pd.DataFrame
    """Training: one row per record, with `step`, `epoch`, `loss`, `alignment`, `uniformity`, ..."""
    spectrum: pd.DataFrame
    """One row per direction, strongest first."""
    clusters: pd.DataFrame
    """One row per cluster; empty without clusters."""
    batches: pd.DataFrame
    """Cells of each cluster (rows) from each batch (columns); empty without clusters or batches."""


def embedding_qc(adata: AnnData, *, key: str = EMBEDDING_UNS, cluster_key: str = CLUSTERS_OBS) -> EmbeddingQC:
    """Collect the numbers that tell whether to trust an embedding.

    These are the tables behind :func:`scclr_ext.pl.embedding_qc`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Cells embedded by :func:`scclr_ext.tl.contrastive_embed`: reads `uns[key]` and the `obsm` entry it names.
    key
        Name of the record in `uns`: what `contrastive_embed` was told in `key_added`.
    cluster_key
        Column of `obs` with clusters, from :func:`scclr_ext.tl.contrastive_cluster` or elsewhere. Where there is
        none of the usual name, `clusters` and `batches` are empty and the summary has no silhouette.

    Returns
    -------
    An object with these tables (:class:`pandas.DataFrame`):

    `summary`
        One row, index `key`: `n_cells`; `n_dims`; `effective_rank` in directions (Roy & Vetterli, 2007);
        `n_collapsed`, directions whose singular value is below 1 % of the largest one; `n_constant`, dimensions with
        the same value in every cell; `first_loss`, `final_loss`, `chance_loss` in nats, the last being the loss of
        a representation that tells no cells apart; `final_alignment`, `final_uniformity` (Wang & Isola, 2020);
        `n_clusters`; `silhouette`, its mean over all cells; `seconds` of training. What is unknown is NaN.
    `history`
        One row per record made during training, as `contrastive_embed` wrote it.
    `spectrum`
        One row per direction that n_cells can span, min(n_cells - 1, n_dims) in number, index from 1:
        `singular_value` of the centred embedding, `relative` to the largest, `variance_ratio`,
        `cumulative_variance_ratio`, `collapsed`.
    `clusters`
        One row per cluster, in the order of the categories: `n_cells`, `fraction`, mean `silhouette` with its
        quartiles `silhouette_q25` and `silhouette_q75`, `misplaced`: the share of cells nearer to another cluster
        (silhouette below 0); and with batches `batch_entropy`, 0 if the cluster comes from one batch and 1 if it
        holds equally many cells of each.
    `batches`
        Number of cells of each cluster (rows) from each batch (columns).

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If `uns[key]`, the embedding it names, or a `cluster_key` that was asked for is missing.
    ValueError
        If `uns[key]` is not the record of an embedding, or is what is left of several that were joined.

    Warns
    -----
    UserWarning
        Where the cells were embedded again since they were clustered. Or where the record is of fewer cells: samples
        that were embedded apart, and joined.

    Notes
    -----
    Silhouettes are Euclidean, in the embedding, from at most 5000 cells drawn evenly over the clusters with a fixed
    seed. The batch is the `batch_key` of the embedding. Cells without a cluster are left out of the cluster tables.

    Examples
    --------
    A hand-made record with an embedding that uses one of its two dimensions:

    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> adata = AnnData(obsm={"X_clr": np.array([[1.0, 0.0], [1.1, 0.0], [-1.0, 0.0], [-1.1, 0.0]])})
    >>> adata.obs["clr_clusters"] = ["0", "0", "1", "1"]
    >>> history = {"step": np.array([1, 2]), "loss": np.array([3.0, 1.5])}
    >>> adata.uns["clr"] = {"params": {"obsm_key": "X_clr", "chance_loss": 3.1}, "history": history}
    >>> qc = clr.get.embedding_qc(adata)
    >>> qc.summary[["effective_rank", "n_collapsed", "final_loss", "chance_loss"]].round(3)
         effective_rank  n_collapsed  final_loss  chance_loss
    clr             1.0            1         1.5          3.1
    >>> qc.clusters[["n_cells", "silhouette"]].round(2)
             n_cells  silhouette
    cluster
    0              2        0.95
    1              2        0.95
    """
    record = read_record(adata, key)
    history = table_of(record.history, _HISTORY)
    spectrum = _spectrum_table(record.representation)
    if cluster_key != CLUSTERS_OBS:
        check_column(adata, cluster_key, "cluster_key")
    labels = categories_of(adata.obs[cluster_key]) if cluster_key in adata.obs else None
    warn_of_other_cells(adata, record.obsm_key, key)
    _warn_of_earlier_clusters(adata, record.obsm_key, cluster_key)
    batch = categories_of(adata.obs[record.batch_key]) if record.batch_key in adata.obs else None
    widths = silhouette_widths(record.representation, labels)
    batches = batch_table(labels, batch)
    clusters = cluster_table(labels, widths, batches)
    summary = {
        "n_cells": adata.n_obs,
        "n_dims": record.representation.shape[1],
        "effective_rank": effective_rank(record.representation),
        "n_collapsed": int(spectrum["collapsed"].sum()),
        "n_constant": int((np.ptp(record.representation, axis=0) == 0).sum()),
        "first_loss": _entry(history, "loss", 0),
        "final_loss": _entry(history, "loss", -1),
        "chance_loss": record.chance_loss,
        "final_alignment": _entry(history, "alignment", -1),
        "final_uniformity": _entry(history, "uniformity", -1),
        "n_clusters": len(clusters),
        "silhouette": float(clusters["silhouette"] @ clusters["n_cells"] / clusters["n_cells"].sum())
        if len(clusters)
        else np.nan,
        "seconds": record.seconds,
    }
    return EmbeddingQC(
        summary=pd.DataFrame(summary, index=[key]),
        history=history,
        spectrum=spectrum,
        clusters=clusters,
        batches=batches,
    )


def _warn_of_earlier_clusters(adata: AnnData, obsm_key: str, cluster_key: str) -> None:
    clusters = adata.uns.get(cluster_key)
    if cluster_key in adata.obs and is_record(clusters, CLUSTERS) and clusters["params"]["use_rep"] == obsm_key:
        warn_of_earlier_training(adata, cluster_key, CLUSTERS)


def _spectrum_table(representation: np.ndarray) -> pd.DataFrame:
    # Centring takes one direction from n cells: what they cannot span is no fault of the embedding.
    values = singular_values(representation)[: max(len(representation) - 1, 0)]
    largest = values.max(initial=0.0)
    relative = values / largest if largest > 0 else values
    total = (relative**2).sum()
    ratio = relative**2 / total if total > 0 else relative
    return pd.DataFrame(
        {
            "singular_value": values,
            "relative": relative,
            "variance_ratio": ratio,
            "cumulative_variance_ratio": np.cumsum(ratio),
            "collapsed": relative < COLLAPSED_BELOW,
        },
        index=pd.RangeIndex(1, len(values) + 1, name="direction"),
    )


def _entry(history: pd.DataFrame, column: str, row: int) -> float:
    return float(history[column].iloc[row]) if column in history and len(history) else np.nan
