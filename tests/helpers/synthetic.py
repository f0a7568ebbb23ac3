"""An AnnData as `tl.contrastive_embed` and `tl.contrastive_cluster` leave it, made without training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse


def make_embedded(
    n_obs: int = 150,
    n_clusters: int = 3,
    n_batches: int = 2,
    *,
    n_dims: int = 16,
    n_records: int = 20,
    key: str = "clr",
    obsm_key: str = "X_clr",
    umap: bool = True,
    spread: float = 0.5,
    seed: int = 0,
) -> AnnData:
    """Gaussian groups on the sphere, with the record, clusters and batches (none with 0) that go with them."""
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.full(max(n_clusters, 1), 3.0))
    group = np.sort(rng.choice(max(n_clusters, 1), size=n_obs, p=sizes))
    group[: max(n_clusters, 1)] = np.arange(max(n_clusters, 1))
    centres = rng.normal(size=(max(n_clusters, 1), n_dims))
    # Each group is a disc, so that a map can show who is near whom; noise gives the other dimensions.
    disc, plane = rng.normal(size=(n_obs, 2)), np.linalg.qr(rng.normal(size=(n_dims, 2)))[0]
    embedding = centres[group] + spread * (3 * disc @ plane.T + 0.2 * rng.normal(size=(n_obs, n_dims)))
    embedding = (embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype(np.float32)

    adata = AnnData(
        sparse.csr_matrix(rng.poisson(1.0, size=(n_obs, 5)).astype(np.float32)),
        obs=pd.DataFrame(index=[f"cell{i}" for i in range(n_obs)]),
        var=pd.DataFrame(index=[f"gene{i}" for i in range(5)]),
    )
    adata.obsm[obsm_key] = embedding
    if umap:
        angle = 2 * np.pi * group / max(n_clusters, 1)
        place = np.column_stack([np.cos(angle), np.sin(angle)]) * (4 + group % 3)[:, None]
        adata.obsm["X_umap"] = (place + 0.45 * disc).astype(np.float32)
    if n_batches:
        adata.obs["donor"] = pd.Categorical([f"donor{i}" for i in rng.integers(n_batches, size=n_obs)])
    if n_clusters:
        names = [str(i) for i in range(n_clusters)]
        adata.obs["clr_clusters"] = pd.Categorical.from_codes(group, names)
        params = {"use_rep": obsm_key, "method": "leiden", "resolution": 1.0, "n_clusters": n_clusters}
        adata.uns["clr_clusters"] = {"params": params}
    steps = np.linspace(0, 300, n_records).astype(int)
    progress = steps / 300
    adata.uns[key] = {
        "params": {
            "method": "clear",
            "preset": "default",
            "obsm_key": obsm_key,
            "layer": "X",
            "mask_var": "highly_variable",
            "batch_key": "donor" if n_batches else "",
            "n_cells": n_obs,
            "n_genes": 5,
            "batch_size": 64,
            "n_steps": 300,
            "config": {"temperature": 0.2},
            "chance_loss": float(np.log(1 + 1024)),
        },
        "random_state": 0,
        "device": "cpu",
        "versions": {"scclr_ext": "0.1.0"},
        "genes": np.array([f"gene{i}" for i in range(5)]),
        "mean": np.zeros(5, dtype=np.float32),
        "std": np.ones(5, dtype=np.float32),
        "seconds": 12.5,
        "history": {
            "step": steps,
            "epoch": progress * 10,
            "loss": 3 + 4.1 * np.exp(-4 * progress) + 0.03 * rng.normal(size=n_records),
            "alignment": 0.4 + 0.5 * np.exp(-3 * progress),
            "uniformity": -3.2 + 2.8 * np.exp(-3 * progress),
            "effective_rank": 1 + 9 * progress,
            "learning_rate": 1e-3 * (1 - progress),
        },
    }
    return adata
