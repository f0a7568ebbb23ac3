"""The figure of repeated runs: every panel shows its table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged
from synthetic import make_embedded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = ["Agreement of clusters (ARI)", "Shared neighbours", "Variation of scores", "Confidence per consensus cluster"]


@pytest.fixture
def make_repeated():
    """An AnnData as `tl.stability` leaves it, made without training."""

    def make(n_obs=150, n_clusters=3, n_seeds=4, **options):
        adata = make_embedded(n_obs, n_clusters, **options)
        rng = np.random.default_rng(1)
        adata.obs["clr_consensus"] = adata.obs["clr_clusters"].to_numpy()
        adata.obs["clr_consensus"] = adata.obs["clr_consensus"].astype("category")
        adata.obs["clr_consensus_confidence"] = confidence = rng.beta(8, 2, n_obs)
        square = np.eye(n_seeds) + np.triu(rng.uniform(0, 1, (n_seeds, n_seeds)), 1)
        square = np.maximum(square, square.T)
        codes = adata.obs["clr_consensus"].cat.codes
        sizes = np.bincount(codes)
        adata.uns["clr_stability"] = {
            "params": {
                "obsm_key": "X_clr",
                "clusters_key": "clr_consensus",
                "confidence_key": "clr_consensus_confidence",
            },
            "runs": {
                "seed": np.arange(n_seeds),
                "n_clusters": rng.integers(3, 6, n_seeds),
                "silhouette": rng.uniform(0.2, 0.3, n_seeds),
                "calinski_harabasz": rng.uniform(500, 600, n_seeds),
                "mean_ari": (square.sum(1) - 1) / (n_seeds - 1),
                "final_loss": rng.uniform(1, 2, n_seeds),
            },
            "ari": square,
            "neighbor_overlap": square / 2 + np.eye(n_seeds) / 2,
            "clusters": {
                "cluster": np.array([str(i) for i in range(n_clusters)]),
                "n_cells": sizes,
                "confidence": np.bincount(codes, confidence) / sizes,
                "neighbor_overlap": np.full(n_clusters, 0.5),
            },
            "unsure": float((confidence < 0.5).mean()),
        }
        return adata

    return make


def drawn(adata, **options) -> list[Axes]:
    axes = clr.pl.stability(adata, show=False, **options)
    axes[0].figure.canvas.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return axes


def test_what_comes_back(make_repeated, monkeypatch) -> None:
    adata, shown = make_repeated(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.stability(adata, return_fig=True), Figure)
    axes = clr.pl.stability(adata, show=False)
    assert [ax.get_title(loc="left") for ax in axes] == [*TITLES, "X_umap, consensus", "X_umap, confidence"]
    assert not shown
    assert clr.pl.stability(adata, show=True) is None
    assert len(shown) == 1


def test_no_trace(make_repeated) -> None:
    adata, settings = make_repeated(), dict(mpl.rcParams)
    with unchanged(adata):
        drawn(adata)
    assert dict(mpl.rcParams) == settings


def test_pairs_are_the_table(make_repeated) -> None:
    adata = make_repeated()
    axes = drawn(adata)
    for ax, name in zip(axes, ("ari", "neighbor_overlap"), strict=False):
        table = getattr(clr.get.stability(adata), name).to_numpy()
        image = np.ma.filled(ax.images[0].get_array(), np.nan)
        off = ~np.eye(4, dtype=bool)
        np.testing.assert_allclose(image[off], table[off])
        assert np.isnan(image[~off]).all()
        written = {text.get_position(): text.get_text() for text in ax.texts}
        assert written == {(j, i): f"{table[i, j]:.2f}" for i in range(4) for j in range(4) if i != j}
        assert ax.get_xlabel() == f"seed (mean of all pairs {table[np.triu_indices(4, 1)].mean():.2f})"


def test_many_runs_have_no_numbers(make_repeated) -> None:
    axes = drawn(make_repeated(n_seeds=25))
    assert not axes[0].texts
    assert len(axes[0].get_xticks()) <= 10


def test_variation_is_the_table(make_repeated) -> None:
    adata = make_repeated()
    ax, table = drawn(adata)[2], clr.get.stability(adata).variation
    names = ["n_clusters", "silhouette", "calinski_harabasz", "mean_ari"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], table.loc[names, "cv"])
    labels = [label.get_text().splitlines()[0] for label in ax.get_yticklabels()]
    assert labels == ["number of clusters", "silhouette", "Calinski-Harabasz", "ARI between runs"]
    assert sorted(ax.get_yticks(), reverse=True) == list(ax.get_yticks())  # the first on top


def test_a_score_without_variation_is_left_out(make_repeated) -> None:
    adata = make_repeated()
    adata.uns["clr_stability"]["runs"]["silhouette"] = np.full(4, np.nan)
    assert len(drawn(adata)[2].patches) == 3
    for name in ("n_clusters", "calinski_harabasz", "mean_ari"):
        adata.uns["clr_stability"]["runs"][name] = np.zeros(4)
    assert not drawn(adata)[2].patches


def test_confidence_of_clusters(make_repeated) -> None:
    adata = make_repeated()
    adata.uns["clr_consensus_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    ax = drawn(adata)[3]
    by_cluster = adata.obs.groupby("clr_consensus", observed=True)["clr_consensus_confidence"]
    for bar, (_, cells) in zip(ax.patches, by_cluster, strict=True):
        assert bar.get_y() == pytest.approx(cells.quantile(0.25))
        assert bar.get_y() + bar.get_height() == pytest.approx(cells.quantile(0.75))
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 1], by_cluster.mean())
    assert [to_hex(color) for color in ax.collections[0].get_facecolors()] == adata.uns["clr_consensus_colors"]
    assert f"mean {adata.obs['clr_consensus_confidence'].mean():.2f}" in ax.get_title(loc="right")


def test_without_a_map(make_repeated) -> None:
    adata = make_repeated()
    adata.uns["clr_stability"]["params"]["obsm_key"] = ""
    adata.uns["neighbors"] = {"params": {"use_rep": "X_pca"}}
    # The UMAP that is there will do, by its name.
    assert [ax.get_title(loc="left") for ax in drawn(adata)[4:]] == ["X_umap, consensus", "X_umap, confidence"]
    del adata.obsm["X_umap"]
    assert [ax.get_title(loc="left") for ax in drawn(adata)] == TITLES


def test_a_umap_of_another_representation_is_not_passed_off(make_repeated) -> None:
    adata = make_repeated()
    adata.obsm["X_umap"] = np.random.default_rng(0).normal(size=(adata.n_obs, 2))
    assert [ax.get_title(loc="left") for ax in drawn(adata)[4:]] == [
        "UMAP of X_clr, consensus",
        "UMAP of X_clr, confidence",
    ]


def test_after_cells_were_taken_away(make_repeated) -> None:
    adata = make_repeated()
    kept = adata[adata.obs["clr_consensus"] != "1"].copy()
    assert list(kept.obs["clr_consensus"].cat.categories) == ["0", "2"]
    axes = drawn(kept)
    assert [label.get_text() for label in axes[3].get_xticklabels()] == ["0", "1", "2"]
    confidence = kept.obs["clr_consensus_confidence"]
    assert axes[3].get_title(loc="right").startswith(f"mean {confidence.mean():.2f}")
    points = axes[3].collections[0].get_offsets()[:, 1]
    means = confidence.groupby(kept.obs["clr_consensus"], observed=True).mean()
    assert np.ma.filled(points, np.nan)[[0, 2]].tolist() == pytest.approx(means.tolist())


def test_after_cells_of_a_cluster_were_taken_away(make_repeated) -> None:
    adata = make_repeated()
    kept = adata[adata.obs["clr_consensus_confidence"] > 0.8].copy()
    ax = drawn(kept)[3]
    means = kept.obs["clr_consensus_confidence"].groupby(kept.obs["clr_consensus"], observed=True).mean()
    assert ax.collections[0].get_offsets()[:, 1].tolist() == pytest.approx(means.tolist())  # as the bars beside them


def test_one_cluster_many_clusters_and_a_small_place(make_repeated) -> None:
    drawn(make_repeated(n_clusters=1, n_seeds=2))
    drawn(make_repeated(400, 50))
    _, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
    drawn(make_repeated(), ax=axes[1])


def test_errors_leave_no_figure(make_repeated) -> None:
    adata = make_repeated()
    with pytest.raises(KeyError, match="no 'foo'"):
        clr.pl.stability(adata, key="foo")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.stability(adata, ax="here")
    del adata.obs["clr_consensus_confidence"]
    with pytest.raises(KeyError, match=r"adata\.obs has no 'clr_consensus_confidence'.*tl\.stability"):
        clr.pl.stability(adata)
    assert not plt.get_fignums()


def test_labels_may_have_become_text(make_repeated) -> None:
    adata = make_repeated()
    adata.obs["clr_consensus"] = pd.Series(adata.obs["clr_consensus"].astype(str))
    drawn(adata)
