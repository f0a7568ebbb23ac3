"""How an embedding is judged: the scores of the two papers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import scanpy as sc
from anndata import AnnData

import scclr_ext as clr
from benchmarks.quality.scores import leiden
from scclr_ext import metrics

if TYPE_CHECKING:
    import pandas as pd

_SILHOUETTE_CELLS = 2000
_PROGRAM_NEIGHBORS = 300
"""Neighbours of the authors' contrastive-sc program."""
SEVEN = ("kmeans", "leiden", "ward", "birch", "gaussian-mixture", "spectral", "mean-shift")


def clusters(rep: np.ndarray, adata: AnnData, seed: int, *, ways: tuple[str, ...] = ("kmeans", "leiden")) -> dict:
    """ARI, NMI, silhouette, Calinski-Harabasz and the relative error of the number, for each way of clustering.

    Ways: "kmeans" with the true number, "leiden" at resolution 1, "leiden300" with the 300 neighbours of the authors'
    program, "chosen" by `tl.contrastive_cluster` without labels.
    """
    types = _types(adata)
    scores: dict[str, Any] = {"n_types": len(set(types))}
    for way in ways:
        found = _cut(way, rep, adata.obs, len(set(types)), seed)
        scores |= {f"{way}_{name}": value for name, value in _agreement(rep, types, found, seed).items()}
    return scores


def all_ways(rep: np.ndarray, adata: AnnData, seed: int) -> dict[str, Any]:
    """`clusters` of every way."""
    return clusters(rep, adata, seed, ways=("kmeans", "leiden", "leiden300", "chosen"))


def seven(rep: np.ndarray, adata: AnnData, seed: int) -> dict[str, Any]:
    """ARI, NMI, number and seconds of seven clusterers, all told the true number but Leiden and MeanShift."""
    types = _types(adata)
    work = _only(rep, adata.obs)
    scores: dict[str, Any] = {}
    clr.tl.contrastive_cluster(work, use_rep="rep", method="kmeans", n_clusters=2)  # compiles, which is not timed
    for method in SEVEN:
        own = method in {"leiden", "mean-shift"}
        told = {"resolution": 1.0} if method == "leiden" else {} if own else {"n_clusters": len(set(types))}
        start = time.perf_counter()
        clr.tl.contrastive_cluster(work, use_rep="rep", method=method, random_state=seed, **told)
        seconds = time.perf_counter() - start
        found = work.obs["clr_clusters"].to_numpy().astype(str)
        scores |= {f"{method}_{name}": value for name, value in _agreement(rep, types, found, seed).items()}
        scores[f"{method}_seconds"] = seconds
    return scores


def order(rep: np.ndarray, adata: AnnData, seed: int) -> dict[str, float]:
    """Spearman's correlation with the stage: `tl.contrastive_pseudotime`, and DPT on scanpy's graph (the paper's)."""
    work = _only(rep, adata.obs)
    first = work.obs.loc[work.obs["stage_order"] == work.obs["stage_order"].min(), "cell_type"].iloc[0]
    clr.tl.contrastive_pseudotime(
        work, str(first), groupby="cell_type", use_rep="rep", random_state=seed, progress=False
    )
    root = str(work.uns["clr_pseudotime"]["params"]["root"])
    sc.pp.neighbors(work, use_rep="rep", n_neighbors=15, transformer="sklearn", random_state=seed)
    sc.tl.diffmap(work, n_comps=min(15, len(rep) - 2), random_state=seed)
    work.uns["iroot"] = int(work.obs_names.get_loc(root))
    sc.tl.dpt(work)
    dpt = work.obs["dpt_pseudotime"].replace(np.inf, np.nan)
    return {
        "spearman": work.obs["clr_pseudotime"].corr(work.obs["stage_order"], method="spearman"),
        "agreement": float(work.uns["clr_pseudotime"]["agreement"]),
        "dpt_spearman": dpt.corr(work.obs["stage_order"], method="spearman"),
        "dpt_reached": float(dpt.notna().mean()),
    }


def batches(rep: np.ndarray, adata: AnnData, seed: int) -> dict[str, float]:
    """CLEAR's six scores; the clusters are those of k-means with the true number."""
    types, batch = _types(adata), adata.obs["batch"].to_numpy().astype(str)
    found = _cut("kmeans", rep, adata.obs, len(set(types)), seed)
    scores = metrics.batch_scores(types, batch, representation=rep, clusters=found, random_state=seed)
    return scores.to_dict()


def _types(adata: AnnData) -> np.ndarray:
    return adata.obs["cell_type"].to_numpy().astype(str)


def _only(rep: np.ndarray, obs: pd.DataFrame) -> AnnData:
    return AnnData(obs=obs.copy(), obsm={"rep": np.asarray(rep, dtype=np.float32)})


def _cut(way: str, rep: np.ndarray, obs: pd.DataFrame, n_types: int, seed: int) -> np.ndarray:
    work = _only(rep, obs)
    if way in {"leiden", "leiden300"}:
        n_neighbors = min(_PROGRAM_NEIGHBORS if way == "leiden300" else 15, len(rep) - 1)
        sc.pp.neighbors(work, use_rep="rep", n_neighbors=n_neighbors, transformer="sklearn", random_state=seed)
        return leiden(work, 1.0, seed)
    told = {"method": "kmeans", "n_clusters": n_types} if way == "kmeans" else {}
    clr.tl.contrastive_cluster(work, use_rep="rep", random_state=seed, **told)
    return work.obs["clr_clusters"].to_numpy().astype(str)


def _agreement(rep: np.ndarray, types: np.ndarray, found: np.ndarray, seed: int) -> dict[str, float]:
    n, true = len(set(found)), len(set(types))
    several = 1 < n < len(rep)
    return {
        "ari": metrics.adjusted_rand_index(types, found),
        "nmi": metrics.normalized_mutual_info(types, found),
        "silhouette": metrics.silhouette(rep, found, sample_size=_SILHOUETTE_CELLS, random_state=seed)
        if several
        else np.nan,
        "calinski": metrics.calinski_harabasz(rep, found) if several else np.nan,
        "n": n,
        "error": (n - true) / true,
    }
