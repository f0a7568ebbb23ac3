"""scclr with batches: what is shared is mixed, what one batch has alone stays apart."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

import scclr_ext as clr

N_GENES, PER_TYPE = 300, 60


@pytest.fixture(scope="module")
def two_batches() -> ad.AnnData:
    """Four cell types in two batches with a strong batch effect; the last type is in the first batch only."""
    rng = np.random.default_rng(0)
    types = np.tile(np.repeat(np.arange(4), PER_TYPE), 2)
    batch = np.repeat([0, 1], 4 * PER_TYPE)
    keep = ~((types == 3) & (batch == 1))
    types, batch = types[keep], batch[keep]
    rate = rng.gamma(0.6, 1.5, N_GENES) * np.ones((len(types), 1))
    for t in range(4):
        rate[types == t, 30 * t : 30 * (t + 1)] *= 8
    rate[batch == 1] *= np.exp(rng.normal(0, 0.7, N_GENES))
    adata = ad.AnnData(sparse.csr_matrix(rng.poisson(rate).astype(np.float32)))
    adata.obs["type"] = pd.Categorical(types.astype(str))
    adata.obs["batch"] = pd.Categorical(batch.astype(str))
    clr.pp.contrastive_preprocess(adata, "scclr", n_top_genes=200, batch_key="batch")
    return adata


def neighbours(rep: np.ndarray) -> np.ndarray:
    return NearestNeighbors(n_neighbors=15).fit(rep).kneighbors(return_distance=False)


def test_shared_types_mix_and_a_type_of_one_batch_stays_apart(two_batches) -> None:
    types, batch = (two_batches.obs[key].to_numpy() for key in ("type", "batch"))
    near = {}
    for key in (None, "batch"):
        clr.tl.contrastive_embed(
            two_batches, "scclr", batch_key=key, n_steps=150, device="cpu", progress=False, key_added="rep"
        )
        near[key] = neighbours(two_batches.obsm["rep"])
    shared = types != "3"
    mixing = {key: (batch[n[shared]] != batch[shared, None]).mean() for key, n in near.items()}
    assert mixing[None] < 0.1, "the batch effect is strong: without batch_key the batches are apart"
    assert mixing["batch"] > 0.3  # 0.5 would be perfect
    same_type = types[near["batch"]] == types[:, None]
    assert same_type.mean() > 0.95
    assert same_type[types == "3"].mean() > 0.95


def test_types_that_one_batch_has_alone_stay_apart_from_each_other() -> None:
    """Two types in both batches, and in each batch one type of its own."""
    adata = clr.datasets.simulate_cells(
        600,
        600,
        n_groups=4,
        n_batches=2,
        de_prob=0.2,
        de_facscale=0.5,
        batch_facscale=0.2,
        lib_loc=9.0,
        progress=False,
        random_state=0,
    )
    first, group = adata.obs["batch"] == "batch0", adata.obs["group"]
    adata = adata[~((group == "group2") & ~first) & ~((group == "group3") & first)].copy()
    clr.pp.contrastive_preprocess(adata, "scclr", batch_key="batch")
    clr.tl.contrastive_embed(adata, "scclr", batch_key="batch", n_steps=150, device="cpu", progress=False)
    group, batch = (adata.obs[key].to_numpy().astype(str) for key in ("group", "batch"))
    near = neighbours(adata.obsm["X_clr"])
    same = (group[near] == group[:, None]).mean(axis=1)
    assert min(same[group == name].mean() for name in np.unique(group)) > 0.9
    shared = np.isin(group, ["group0", "group1"])
    assert (batch[near[shared]] != batch[shared, None]).mean() > 0.3


def test_the_choice_of_clusters_sees_through_the_batches(two_batches) -> None:
    clr.tl.contrastive_embed(
        two_batches, "scclr", batch_key="batch", n_steps=150, device="cpu", progress=False, key_added="rep"
    )
    clr.tl.contrastive_cluster(two_batches, use_rep="rep", batch_key="batch")
    found = pd.crosstab(two_batches.obs["clr_clusters"], two_batches.obs["type"])
    assert found.shape[0] == 4
    assert metrics_ari(two_batches) > 0.95


def metrics_ari(adata: ad.AnnData) -> float:
    return clr.metrics.adjusted_rand_index(adata.obs["type"], adata.obs["clr_clusters"])
