"""What each ingredient of "scclr" gives, on every real set: ``python -m benchmarks.ablation``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import pandas as pd
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

import scclr_ext as clr
from benchmarks import _options
from benchmarks._resumable import keep, measure_missing
from benchmarks.ablation import table
from benchmarks.ablation.variants import CHOSEN, VARIANTS
from benchmarks.quality import sets
from benchmarks.quality.methods import pca
from scclr_ext import metrics
from scclr_ext.engine import neighbors

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

RESULTS = Path(__file__).with_name("results.csv")
_STARTS = 3
"""K-means runs from this many seeds per embedding: one start moves some sets by more than any ingredient does."""
_SILHOUETTE_CELLS = 3000
_NEIGHBORS = 15
_MODES = {"without": (False,), "with": (True,), "both": (False, True)}


class Job(NamedTuple):
    """One embedding to make and score."""

    set: str
    variant: str
    uses_batch: bool
    seed: int


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--batches", choices=_MODES, default="both", help="without batch_key, with it, or both")
    args = _options.read(parser, results=RESULTS, seeds=3)
    jobs = [
        Job(name, variant, uses_batch, seed)
        for seed in range(args.seeds)
        for variant in args.variants
        for uses_batch in _MODES[args.batches]
        if (VARIANTS[variant].batch if uses_batch else VARIANTS[variant].plain)
        for name in args.sets or sets.names()
    ]
    results = measure_missing(
        jobs, lambda job: measure(job, args.embeddings), args.results, key=Job._fields, again=args.again
    )
    table.write(results)


def measure(job: Job, embeddings: Path | None) -> dict[str, float] | None:
    """The scores of one job; None where the set has no batches to use."""
    adata = sets.load(job.set)
    if job.uses_batch and "batch" not in adata.obs:
        return None
    obs = adata.obs.copy()
    file = embeddings / f"{job.set}-{job.variant}-{job.uses_batch}-{job.seed}.npz" if embeddings else None
    rep, seconds = keep(lambda: _embed(adata, job), file)
    starts = range(_STARTS * job.seed, _STARTS * (job.seed + 1))
    scores = pd.DataFrame([_k_means(rep, obs, start) for start in starts]).mean().to_dict()
    scores["purity"] = _purity(rep, obs["cell_type"])
    if "batch" in obs:
        types, batch = (obs[name].to_numpy().astype(str) for name in ("cell_type", "batch"))
        scores |= metrics.batch_scores(
            types, batch, representation=rep, sample_size=_SILHOUETTE_CELLS, random_state=job.seed
        ).to_dict()
    if job.variant in CHOSEN:
        adata.obsm["rep"] = rep
        clr.tl.contrastive_cluster(
            adata, use_rep="rep", batch_key="batch" if job.uses_batch else None, random_state=job.seed
        )
        types, chosen = (adata.obs[name].to_numpy().astype(str) for name in ("cell_type", "clr_clusters"))
        scores["chosen_ari"] = metrics.adjusted_rand_index(types, chosen)
    return {**scores, "seconds": seconds}


def _embed(adata: AnnData, job: Job) -> np.ndarray:
    batch_key = "batch" if job.uses_batch else None
    variant = VARIANTS[job.variant]
    config = variant.config
    if config is None:
        return pca(adata, job.seed, batch_key)
    clr.pp.contrastive_preprocess(adata, "scclr", batch_key=batch_key)
    few = {} if variant.candidates is None else {"_MANY_CELLS": 0, "_CANDIDATES": int(variant.candidates * adata.n_obs)}
    with patch.dict(vars(neighbors), few):
        clr.tl.contrastive_embed(
            adata, config, batch_key=batch_key, random_state=job.seed, device="cpu", progress=False
        )
    return adata.obsm["X_clr"][:, config.embedding_dim if variant.linear else 0 :]


def _purity(rep: np.ndarray, types: pd.Series) -> float:
    """Share of a cell's nearest neighbours that are of its type, mean of the types: rare ones count as much."""
    names = types.to_numpy().astype(str)
    near = NearestNeighbors(n_neighbors=min(_NEIGHBORS, len(rep) - 1)).fit(rep).kneighbors(return_distance=False)
    return float(pd.Series((names[near] == names[:, None]).mean(axis=1)).groupby(names).mean().mean())


def _k_means(rep: np.ndarray, obs: pd.DataFrame, seed: int) -> dict[str, float]:
    types = obs["cell_type"].to_numpy().astype(str)
    clusters = KMeans(len(set(types)), n_init=10, random_state=seed).fit_predict(rep)
    scores = {
        "kmeans_ari": metrics.adjusted_rand_index(types, clusters),
        "kmeans_nmi": metrics.normalized_mutual_info(types, clusters),
    }
    if "batch" in obs:
        batch = obs["batch"].to_numpy().astype(str)
        scores |= metrics.batch_scores(types, batch, clusters=clusters).to_dict()
    return scores


if __name__ == "__main__":
    main()
