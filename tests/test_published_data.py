"""Real labelled data: counts, RPKM, two protocols. Skipped where the files are not there."""

from __future__ import annotations

import numpy as np

import scclr_ext as clr


def analyse(adata, **options) -> None:
    clr.pp.contrastive_preprocess(adata, n_top_genes=500, batch_key=options.get("batch_key"))
    clr.tl.contrastive_embed(adata, "contrastive-sc", device="cpu", progress=False, **options)


def agreement(adata) -> float:
    clr.tl.contrastive_cluster(adata, method="kmeans", n_clusters=adata.obs["cell_type"].nunique())
    return clr.metrics.adjusted_rand_index(adata.obs["clr_clusters"], adata.obs["cell_type"])


def test_counts(load_shared) -> None:
    adata = load_shared("kang_ifnb_muscat")[::3].copy()
    analyse(adata, n_epochs=20, learning_rate=0.01)
    assert adata.uns["clr_preprocess"]["input"] == "counts"
    assert agreement(adata) > 0.2  # two conditions and two donors, which nothing here tells the model


def test_rpkm(load_shared) -> None:
    adata = load_shared("yan")
    analyse(adata, n_epochs=60, learning_rate=0.01)
    assert adata.uns["clr_preprocess"]["input"] == "linear"
    np.testing.assert_allclose(np.expm1(adata.X).sum(axis=1), 1e4, rtol=1e-4)
    assert set(filter(None, adata.layers)) == {"linear"}
    assert agreement(adata) > 0.5


def test_two_protocols(load_shared) -> None:
    adata = load_shared("cellbench_3cl")[::2, ::4].copy()
    analyse(adata, n_epochs=20, learning_rate=0.01, batch_key="batch")
    assert adata.uns["clr"]["params"]["batch_key"] == "batch"
    assert agreement(adata) > 0.5


def test_cell_lines_in_two_protocols_with_the_recommended_method(load_shared) -> None:
    """As docs/benchmarks.md says: scclr told of the batches, the number chosen (PCA, Leiden at resolution 1: 0.46)."""
    adata = load_shared("cellbench_3cl")
    clr.pp.contrastive_preprocess(adata, "scclr", batch_key="batch")
    clr.tl.contrastive_embed(adata, "scclr", batch_key="batch", device="cpu", progress=False)
    clr.tl.contrastive_cluster(adata, batch_key="batch")
    assert 3 <= adata.obs["clr_clusters"].nunique() <= 4
    assert clr.metrics.adjusted_rand_index(adata.obs["clr_clusters"], adata.obs["cell_type"]) > 0.75
    labels = (adata.obs[name].to_numpy() for name in ("cell_type", "batch"))
    scores = clr.metrics.batch_scores(
        *labels, representation=adata.obsm["X_clr"], clusters=adata.obs["clr_clusters"].to_numpy()
    ).to_dict()
    assert scores["1-bARI"] > 0.95
    assert scores["f1_ASW"] > 0.5


def test_embryos_with_the_default(load_shared) -> None:
    """As docs/benchmarks.md says: CLEAR, the number of clusters chosen."""
    adata = load_shared("yan")
    clr.pp.contrastive_preprocess(adata)
    clr.tl.contrastive_embed(adata, device="cpu", progress=False)
    clr.tl.contrastive_cluster(adata)
    assert 4 <= adata.obs["clr_clusters"].nunique() <= 9  # 7 stages
    assert clr.metrics.adjusted_rand_index(adata.obs["clr_clusters"], adata.obs["cell_type"]) > 0.6


def test_counts_and_rpkm_of_the_same_cells(load_shared) -> None:
    counts = load_shared("deng")
    rpkm = counts.copy()
    rpkm.layers["counts"] = rpkm.X.copy()
    clr.pp.contrastive_preprocess(counts, n_top_genes=300)
    clr.pp.contrastive_preprocess(rpkm, n_top_genes=300, layer="rpkm")
    assert (counts.uns["clr_preprocess"]["input"], rpkm.uns["clr_preprocess"]["input"]) == ("counts", "linear")
    shared = counts.var["highly_variable"] & rpkm.var["highly_variable"]
    assert shared.sum() > 50  # 4 by chance
    clr.tl.contrastive_embed(rpkm, n_steps=10, batch_size=64, device="cpu", progress=False)
    assert np.isfinite(rpkm.obsm["X_clr"]).all()
