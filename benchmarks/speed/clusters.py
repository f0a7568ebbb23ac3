"""Clustering beside the embedding it follows: neighbour graph, choice of the number of clusters, k-means."""

from __future__ import annotations

import time
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import torch

import scclr_ext as clr
from benchmarks.speed.whole import simulate
from scclr_ext.tl._graph import EXACT_CELLS, neighbor_graph


def measure(sizes: list[int]) -> pd.DataFrame:
    """Processor seconds of each part, one thread."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    # numba compiles scanpy's graph and, for more cells than are compared in pairs, pynndescent: not part of any row
    anything = np.random.default_rng(0).normal(size=(EXACT_CELLS + 1, 8)).astype(np.float32)
    neighbor_graph(anything, "X_clr", 15, 0)
    small = ad.AnnData(np.zeros((200, 1), dtype=np.float32), obsm={"X_clr": anything[:200]})
    clr.tl.contrastive_cluster(small)
    rows = {}
    for n in sizes:
        adata = simulate(n)
        seconds = {}
        steps = {
            "preprocess": lambda a=adata: clr.pp.contrastive_preprocess(a),
            "embed": lambda a=adata: clr.tl.contrastive_embed(a, device="cpu", progress=False, keep_weights=False),
            "neighbour graph": lambda a=adata: neighbor_graph(a.obsm["X_clr"], "X_clr", 15, 0),
            "cluster, number chosen (with the graph)": lambda a=adata: clr.tl.contrastive_cluster(a),
            "cluster, resolution 1 (with the graph)": lambda a=adata: clr.tl.contrastive_cluster(a, resolution=1.0),
            "cluster, k-means": lambda a=adata: clr.tl.contrastive_cluster(a, method="kmeans", n_clusters=12),
        }
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name] = time.process_time() - start
        rows[f"{n} cells, s"] = seconds
    return pd.DataFrame(rows)
