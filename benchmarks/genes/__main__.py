"""Does a number of genes that was chosen without labels beat a fixed one? ``python -m benchmarks.genes``.

Every set with more than 5000 genes is embedded by a PCA of each number of genes, and scored with the labels; beside it
stands what `pp.select_n_top_genes` says of that number, which sees no labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scanpy as sc
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

import scclr_ext as clr
from benchmarks import _options
from benchmarks._resumable import measure_missing
from benchmarks.genes import table
from benchmarks.quality import sets
from benchmarks.quality.scores import RESOLUTIONS, leiden
from scclr_ext import metrics

if TYPE_CHECKING:
    from anndata import AnnData

RESULTS = Path(__file__).with_name("results.csv")
NUMBERS = (500, 1000, 1500, 2000, 3000, 4000, 5000)
_STARTS = 3


class Job(NamedTuple):
    """One set, and the seed of the sample of cells, the splits of the genes and k-means."""

    set: str
    n_top_genes: int
    seed: int


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    args = _options.read(parser, results=RESULTS, seeds=3, embeddings=False)

    names = [name for name in args.sets or sets.names() if sets.load(name).n_vars > max(NUMBERS)]
    jobs = [Job(name, number, seed) for seed in range(args.seeds) for name in names for number in NUMBERS]
    morans_i: dict[tuple[str, int], dict[int, float]] = {}

    def measure(job: Job) -> dict[str, float]:
        if (job.set, job.seed) not in morans_i:
            morans_i[job.set, job.seed] = _morans_i(job.set, job.seed)
        return {"morans_i": morans_i[job.set, job.seed][job.n_top_genes], **_score(job)}

    table.write(measure_missing(jobs, measure, args.results, key=Job._fields, again=args.again))


def _morans_i(name: str, seed: int) -> dict[int, float]:
    adata = sets.load(name)
    clr.pp.select_n_top_genes(adata, "scclr", candidates=NUMBERS, random_state=seed)
    return clr.get.n_top_genes(adata)["morans_i"].to_dict()


def _score(job: Job) -> dict[str, float]:
    adata = sets.load(job.set)
    types = adata.obs["cell_type"].to_numpy().astype(str)
    clr.pp.contrastive_preprocess(adata, "scclr", n_top_genes=job.n_top_genes)
    rep = _pca(adata, job.seed)
    starts = range(_STARTS * job.seed, _STARTS * (job.seed + 1))
    k_means = [KMeans(len(set(types)), n_init=10, random_state=start).fit_predict(rep) for start in starts]
    near = NearestNeighbors(n_neighbors=min(15, len(rep) - 1)).fit(rep).kneighbors(return_distance=False)
    work = sc.AnnData(np.zeros((len(rep), 0), dtype=np.float32), obsm={"rep": rep})
    sc.pp.neighbors(work, use_rep="rep", n_neighbors=near.shape[1], transformer="sklearn", random_state=job.seed)
    by_resolution = [metrics.adjusted_rand_index(types, leiden(work, r, job.seed)) for r in RESOLUTIONS]
    return {
        "kmeans_ari": float(np.mean([metrics.adjusted_rand_index(types, found) for found in k_means])),
        "best_ari": max(by_resolution),
        "purity": float((types[near] == types[:, None]).mean()),
    }


def _pca(adata: AnnData, seed: int) -> np.ndarray:
    part = adata[:, adata.var["highly_variable"]].copy()
    sc.pp.scale(part, max_value=10)
    sc.pp.pca(part, n_comps=min(50, *(n - 1 for n in part.shape)), random_state=seed)
    return part.obsm["X_pca"]


if __name__ == "__main__":
    main()
