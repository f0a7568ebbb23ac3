"""Per-cluster tables from arrays of labels and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext.metrics import silhouette_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

SILHOUETTE_CELLS = 5000


def silhouette_widths(representation: np.ndarray, labels: pd.Categorical | None) -> Mapping[int, np.ndarray]:
    """Measure the silhouette of sampled cells, by the code of their cluster; empty where it is undefined."""
    if labels is None:
        return {}
    labelled = np.flatnonzero(labels.codes >= 0)
    codes = labels.codes[labelled]
    if not 2 <= len(labels.categories) < len(codes):
        return {}
    scored = silhouette_samples(representation[labelled], codes, sample_size=SILHOUETTE_CELLS)
    scored_codes = codes[scored.cells]
    return {code: scored.values[scored_codes == code] for code in range(len(labels.categories))}


def batch_table(labels: pd.Categorical | None, batches: pd.Categorical | None) -> pd.DataFrame:
    """Count the cells of each cluster from each batch."""
    if labels is None or batches is None:
        return pd.DataFrame(index=pd.Index([], name="cluster"))
    counts = np.zeros((len(labels.categories), len(batches.categories)), dtype=np.int64)
    known = (labels.codes >= 0) & (batches.codes >= 0)
    np.add.at(counts, (labels.codes[known], batches.codes[known]), 1)
    return pd.DataFrame(
        counts,
        index=pd.Index(labels.categories, name="cluster"),
        columns=pd.Index(batches.categories, name="batch"),
    )


def cluster_table(
    labels: pd.Categorical | None, widths: Mapping[int, np.ndarray], batches: pd.DataFrame
) -> pd.DataFrame:
    """Describe each cluster: size, silhouette and, with batches, how mixed they are."""
    names = [] if labels is None else labels.categories
    sizes = np.bincount([] if labels is None else labels.codes[labels.codes >= 0], minlength=len(names))
    table = pd.DataFrame({"n_cells": sizes}, index=pd.Index(names, name="cluster"))
    table["fraction"] = table["n_cells"] / max(1, sizes.sum())
    undefined = np.array([np.nan])
    per_cluster = [widths.get(code, undefined) for code in range(len(names))]
    table["silhouette"] = [float(values.mean()) for values in per_cluster]
    table["silhouette_q25"] = [float(np.quantile(values, 0.25)) for values in per_cluster]
    table["silhouette_q75"] = [float(np.quantile(values, 0.75)) for values in per_cluster]
    table["misplaced"] = [float((values < 0).mean()) if widths else np.nan for values in per_cluster]
    if batches.shape[1]:
        table["batch_entropy"] = _entropy(batches.to_numpy())
    return table


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy of each row of counts, as a fraction of that of equal shares."""
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    # 0 log 0 is 0: the logarithm of 1 stands in for it.
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1) + 0.0
    scaled = entropy / np.log(counts.shape[1]) if counts.shape[1] > 1 else entropy
    return np.where(totals[:, 0] > 0, scaled, np.nan)
