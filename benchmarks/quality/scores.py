"""How good an embedding is, by its labels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc
from anndata import AnnData
from sklearn.cluster import KMeans

import scclr_ext as clr
from benchmarks._neighborhoods import neighborhoods
from scclr_ext import metrics

if TYPE_CHECKING:
    import pandas as pd

RESOLUTIONS = np.geomspace(0.02, 2.0, 14)


def score(rep: np.ndarray, obs: pd.DataFrame, seed: int, batch_key: str | None = None) -> dict[str, float]:
    """Score one embedding; batch scores only where there is a `batch`.

    The choice of the number of clusters is told of the batches (`batch_key`) where the embedding was.
    """
    types = obs["cell_type"].to_numpy().astype(str)
    k_means = KMeans(len(set(types)), n_init=10, random_state=seed).fit_predict(rep)
    adata = AnnData(
        np.zeros((len(rep), 0), dtype=np.float32), obs=obs.copy(), obsm={"rep": np.asarray(rep, dtype=np.float32)}
    )
    sc.pp.neighbors(adata, use_rep="rep", n_neighbors=min(15, len(rep) - 1), transformer="sklearn", random_state=seed)
    by_resolution = [metrics.adjusted_rand_index(types, leiden(adata, r, seed)) for r in RESOLUTIONS]
    standard = leiden(adata, 1.0, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clr.tl.contrastive_cluster(adata, use_rep="rep", batch_key=batch_key, random_state=seed)
    chosen = adata.obs["clr_clusters"].to_numpy().astype(str)
    scores = {
        "kmeans_ari": metrics.adjusted_rand_index(types, k_means),
        "kmeans_nmi": metrics.normalized_mutual_info(types, k_means),
        "leiden1_ari": metrics.adjusted_rand_index(types, standard),
        "leiden1_nmi": metrics.normalized_mutual_info(types, standard),
        "chosen_ari": metrics.adjusted_rand_index(types, chosen),
        "chosen_nmi": metrics.normalized_mutual_info(types, chosen),
        "best_ari": max(by_resolution),
        "n_types": len(set(types)),
        "n_clusters": len(set(chosen)),
        "confidence": adata.uns["clr_clusters"]["choice"]["confidence"],
    }
    if "batch" in obs:
        batch = obs["batch"].to_numpy().astype(str)
        scores |= metrics.batch_scores(types, batch, representation=rep, clusters=k_means).to_dict()
        near = neighborhoods(rep, types, batch)
        scores |= {"purity": near["shared"], "mixing": near["mixed"]}
    return scores


def leiden(adata: AnnData, resolution: float, seed: int) -> np.ndarray:
    """Leiden as scanpy will do it by default; the clusters as strings."""
    sc.tl.leiden(adata, resolution, random_state=seed, flavor="igraph", n_iterations=2, directed=False)
    return adata.obs["leiden"].to_numpy().astype(str)
