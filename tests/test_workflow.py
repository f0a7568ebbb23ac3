"""The whole job on real cells, with scanpy's tools before, between and after, and without a warning."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scclr_ext as clr
from anndata_state import assert_reads_back


@pytest.fixture(scope="module")
def analysed(_pbmc: ad.AnnData) -> ad.AnnData:
    """700 blood cells after preprocess, embed, cluster and what scanpy does next; a warning fails it."""
    adata = _pbmc.copy()
    clr.pp.contrastive_preprocess(adata, n_top_genes=300)
    clr.tl.contrastive_embed(adata, n_steps=20, batch_size=128, device="cpu", progress=False)
    clr.tl.contrastive_cluster(adata, resolution=1.0)
    sc.tl.umap(adata, maxiter=30)
    sc.tl.paga(adata, groups="clr_clusters")
    adata.uns["iroot"] = int(np.flatnonzero(adata.obs["bulk_labels"] == "CD34+")[0])
    sc.tl.diffmap(adata)
    sc.tl.dpt(adata)
    sc.tl.rank_genes_groups(adata, "clr_clusters", method="t-test")
    return adata


def test_the_clusters_are_of_one_kind(analysed) -> None:
    clusters, kinds = analysed.obs["clr_clusters"], analysed.obs["bulk_labels"]
    agreement = clr.metrics.adjusted_rand_index(clusters, kinds)
    by_chance = clr.metrics.adjusted_rand_index(clusters.sample(frac=1, random_state=0), kinds)
    assert abs(by_chance) < 0.05
    assert agreement > 0.15  # 20 steps: far from a full training


def test_umap(analysed) -> None:
    assert np.isfinite(analysed.obsm["X_umap"]).all()
    axes = sc.pl.umap(analysed, color="clr_clusters", show=False)
    assert axes.get_title() == "clr_clusters"
    assert len(analysed.uns["clr_clusters_colors"]) == analysed.obs["clr_clusters"].nunique()


def test_paga(analysed) -> None:
    n = analysed.obs["clr_clusters"].nunique()
    assert analysed.uns["paga"]["connectivities"].shape == (n, n)
    sc.pl.paga(analysed, show=False)
    assert analysed.uns["paga"]["pos"].shape == (n, 2)


def test_pseudotime_starts_at_the_root(analysed) -> None:
    time = analysed.obs["dpt_pseudotime"]
    assert time.iloc[analysed.uns["iroot"]] == 0
    assert 0 < time[np.isfinite(time)].max() <= 1
    stem = analysed.obs["bulk_labels"] == "CD34+"
    assert time[stem].median() < time[~stem & np.isfinite(time)].median()


def test_marker_genes(analysed) -> None:
    names = pd.DataFrame(analysed.uns["rank_genes_groups"]["names"])
    b_cells = analysed.obs.loc[analysed.obs["bulk_labels"] == "CD19+ B", "clr_clusters"].mode()[0]
    assert {"CD79A", "CD79B", "CD74", "HLA-DRA", "MS4A1"} & set(names[b_cells][:10])
    folds = pd.DataFrame(analysed.uns["rank_genes_groups"]["logfoldchanges"])
    assert np.isfinite(folds.to_numpy()).all()


def test_quality_figure_and_table(analysed) -> None:
    qc = clr.get.embedding_qc(analysed)
    assert qc.summary["final_loss"].item() < qc.summary["chance_loss"].item()
    titles = [ax.get_title(loc="left") for ax in clr.pl.embedding_qc(analysed, return_fig=True).axes]
    assert {"Training loss", "Alignment", "Uniformity"} <= set(titles)


@pytest.mark.parametrize("store", ["h5ad", "zarr"])
def test_everything_survives_a_file(analysed, tmp_path, store) -> None:
    getattr(analysed, f"write_{store}")(path := tmp_path / f"out.{store}")
    read = getattr(ad, f"read_{store}")(path)
    ours = ("clr", "clr_clusters", "clr_preprocess", "log1p", "neighbors")
    assert_reads_back({key: read.uns[key] for key in ours}, {key: analysed.uns[key] for key in ours})
    assert_reads_back(dict(read.obsm), dict(analysed.obsm), "obsm")
    for key in analysed.obsp:
        assert (read.obsp[key] != analysed.obsp[key]).nnz == 0
    pd.testing.assert_frame_equal(read.obs, analysed.obs, check_index_type=False)
    pd.testing.assert_frame_equal(read.var, analysed.var, check_index_type=False)
    np.testing.assert_array_equal(read.X.toarray(), analysed.X.toarray())
    # And it goes on from there.
    clr.tl.contrastive_cluster(read, n_clusters=5, method="kmeans", key_added="again")
    assert read.obs["again"].nunique() == 5


def test_cells_can_be_chosen_and_embedded_again(analysed) -> None:
    part = analysed[analysed.obs["clr_clusters"].isin(["0", "1"])]
    clr.tl.contrastive_embed(part, n_steps=5, key_added="again", device="cpu", progress=False)
    clr.tl.contrastive_cluster(part, use_rep="again", key_added="finer", resolution=0.5)
    assert part.uns["again"]["params"]["n_cells"] == part.n_obs < 700
    assert part.obs["finer"].notna().all()
    assert "finer" not in analysed.obs
