"""The tables behind the figure: content against plain NumPy, missing parts, errors, nothing written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad
from sklearn.metrics import silhouette_samples

import scclr_ext as clr
from joined import joined
from synthetic import make_embedded


def test_history_is_the_record() -> None:
    adata = make_embedded()
    history = clr.get.embedding_qc(adata).history
    assert list(history) == list(adata.uns["clr"]["history"])
    for column, values in adata.uns["clr"]["history"].items():
        np.testing.assert_array_equal(history[column], values)


def test_spectrum_is_that_of_the_centred_embedding() -> None:
    adata = make_embedded()
    spectrum = clr.get.embedding_qc(adata).spectrum
    x = adata.obsm["X_clr"].astype(float)
    variances = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    np.testing.assert_allclose(spectrum["variance_ratio"], variances / variances.sum(), rtol=1e-6)
    np.testing.assert_allclose(spectrum["singular_value"] ** 2, variances * (len(x) - 1), rtol=1e-6)
    assert spectrum["cumulative_variance_ratio"].iloc[-1] == pytest.approx(1)
    assert spectrum.index.tolist() == list(range(1, 17))
    assert not spectrum["collapsed"].any()


def test_clusters_are_counted_and_scored() -> None:
    adata = make_embedded()
    qc = clr.get.embedding_qc(adata)
    widths = silhouette_samples(adata.obsm["X_clr"], adata.obs["clr_clusters"])
    per_cluster = pd.Series(widths).groupby(adata.obs["clr_clusters"].to_numpy())
    assert qc.clusters["n_cells"].to_dict() == adata.obs["clr_clusters"].value_counts().to_dict()
    np.testing.assert_allclose(qc.clusters["fraction"].sum(), 1)
    np.testing.assert_allclose(qc.clusters["silhouette"], per_cluster.mean(), rtol=1e-5)
    np.testing.assert_allclose(qc.clusters["silhouette_q25"], per_cluster.quantile(0.25), rtol=1e-5)
    np.testing.assert_allclose(qc.clusters["misplaced"], (per_cluster.apply(lambda w: (w < 0).mean())))
    assert qc.summary["silhouette"].item() == pytest.approx(widths.mean(), rel=1e-5)


def test_batches_are_a_cross_table() -> None:
    adata = make_embedded(n_batches=3)
    qc = clr.get.embedding_qc(adata)
    expected = pd.crosstab(adata.obs["clr_clusters"], adata.obs["donor"])
    np.testing.assert_array_equal(qc.batches, expected)
    assert {dtype.kind for dtype in qc.batches.dtypes} == {"i"}
    assert list(qc.batches.columns) == ["donor0", "donor1", "donor2"]
    share = expected.to_numpy() / expected.to_numpy().sum(axis=1, keepdims=True)
    np.testing.assert_allclose(qc.clusters["batch_entropy"], -(share * np.log(share)).sum(axis=1) / np.log(3))


def test_entropy_at_its_ends() -> None:
    adata = make_embedded(n_obs=40, n_clusters=2)
    adata.obs["clr_clusters"] = pd.Categorical(["a"] * 20 + ["b"] * 20)
    adata.obs["donor"] = ["x"] * 20 + ["x", "y"] * 10
    assert clr.get.embedding_qc(adata).clusters["batch_entropy"].tolist() == pytest.approx([0, 1])


def test_summary() -> None:
    adata = make_embedded()
    summary = clr.get.embedding_qc(adata).summary
    assert summary.index.tolist() == ["clr"]
    row = summary.iloc[0]
    history = adata.uns["clr"]["history"]
    assert row["n_cells"] == 150
    assert row["n_dims"] == 16
    assert row["n_clusters"] == 3
    assert row["n_collapsed"] == row["n_constant"] == 0
    assert row["effective_rank"] == pytest.approx(clr.metrics.effective_rank(adata.obsm["X_clr"]))
    assert (row["first_loss"], row["final_loss"]) == (history["loss"][0], history["loss"][-1])
    assert row["chance_loss"] == pytest.approx(np.log(1025))
    assert (row["final_alignment"], row["final_uniformity"]) == (history["alignment"][-1], history["uniformity"][-1])
    assert row["seconds"] == 12.5


def test_collapse_is_counted() -> None:
    adata = make_embedded()
    x = adata.obsm["X_clr"].copy()
    x[:, 4:] = 0
    x[:, 4] = 1
    adata.obsm["X_clr"] = x
    summary = clr.get.embedding_qc(adata).summary.iloc[0]
    assert summary["n_constant"] == 12
    assert summary["n_collapsed"] == 12
    adata.obsm["X_clr"] = np.ones_like(x)
    qc = clr.get.embedding_qc(adata)
    assert qc.summary["effective_rank"].item() == 0
    assert qc.spectrum["collapsed"].all()
    assert not qc.spectrum["variance_ratio"].any()


def test_a_direction_below_a_hundredth_of_the_strongest_has_collapsed() -> None:
    adata = make_embedded()
    n_obs = adata.n_obs
    scores = np.linalg.qr(np.column_stack([np.ones(n_obs), np.random.default_rng(0).normal(size=(n_obs, 3))]))[0][:, 1:]
    adata.obsm["X_clr"] = scores * [1, 0.0102, 0.0098]
    assert clr.get.embedding_qc(adata).spectrum["collapsed"].tolist() == [False, False, True]


def test_few_cells_are_no_collapse() -> None:
    qc = clr.get.embedding_qc(make_embedded(n_obs=12, n_dims=64))
    assert len(qc.spectrum) == 11
    assert not qc.spectrum["collapsed"].any()


def test_without_clusters_and_batches() -> None:
    qc = clr.get.embedding_qc(make_embedded(n_clusters=0, n_batches=0))
    assert len(qc.clusters) == 0
    assert "silhouette" in qc.clusters
    assert qc.batches.size == 0
    assert qc.summary["n_clusters"].item() == 0
    assert np.isnan(qc.summary["silhouette"].item())
    qc = clr.get.embedding_qc(make_embedded(n_batches=0))
    assert "batch_entropy" not in qc.clusters
    assert qc.batches.size == 0
    qc = clr.get.embedding_qc(make_embedded(n_clusters=0))
    assert len(qc.clusters) == 0
    assert qc.batches.size == 0


def test_one_cluster_has_no_silhouette() -> None:
    qc = clr.get.embedding_qc(make_embedded(n_clusters=1))
    assert qc.clusters["n_cells"].tolist() == [150]
    assert qc.clusters["silhouette"].isna().all()
    assert np.isnan(qc.summary["silhouette"].item())


def test_cells_and_categories_that_are_missing() -> None:
    adata = make_embedded()
    labels = adata.obs["clr_clusters"].cat.add_categories("unused")
    labels.iloc[:10] = np.nan
    adata.obs["clr_clusters"] = labels
    clusters = clr.get.embedding_qc(adata).clusters
    assert clusters.index.tolist() == ["0", "1", "2"]
    assert clusters["n_cells"].sum() == 140
    assert clusters["fraction"].sum() == pytest.approx(1)


def test_plain_columns_are_sorted_naturally() -> None:
    adata = make_embedded(n_obs=300, n_clusters=12)
    adata.obs["text"] = adata.obs["clr_clusters"].astype(str)
    adata.obs["number"] = adata.obs["clr_clusters"].astype(int)
    names = [str(i) for i in range(12)]
    assert clr.get.embedding_qc(adata, cluster_key="text").clusters.index.tolist() == names
    assert clr.get.embedding_qc(adata, cluster_key="number").clusters.index.tolist() == list(range(12))


def test_a_large_set_is_sampled_for_the_silhouette(monkeypatch: pytest.MonkeyPatch) -> None:
    adata = make_embedded(n_obs=900)
    full = clr.get.embedding_qc(adata)
    from scclr_ext.get import _clusters

    monkeypatch.setattr(_clusters, "SILHOUETTE_CELLS", 200)
    sampled = clr.get.embedding_qc(adata)
    assert sampled.clusters["n_cells"].equals(full.clusters["n_cells"])
    assert not sampled.clusters["silhouette"].equals(full.clusters["silhouette"])
    np.testing.assert_allclose(sampled.clusters["silhouette"], full.clusters["silhouette"], atol=0.05)
    pd.testing.assert_frame_equal(sampled.clusters, clr.get.embedding_qc(adata).clusters)


def test_other_keys_and_a_file_in_between(tmp_path) -> None:
    adata = make_embedded(key="foo", obsm_key="foo")
    adata.write_h5ad(tmp_path / "cells.h5ad")
    before, after = (clr.get.embedding_qc(a, key="foo") for a in (adata, read_h5ad(tmp_path / "cells.h5ad")))
    for table in ("summary", "history", "spectrum", "clusters", "batches"):
        pd.testing.assert_frame_equal(getattr(before, table), getattr(after, table))
    assert before.summary.index.tolist() == ["foo"]


def test_a_single_record_and_none() -> None:
    assert len(clr.get.embedding_qc(make_embedded(n_records=1)).history) == 1
    adata = make_embedded()
    adata.uns["clr"]["history"] = {}
    summary = clr.get.embedding_qc(adata).summary
    assert np.isnan(summary["final_loss"].item())


def test_a_batch_column_that_is_gone_is_no_batch() -> None:
    adata = make_embedded()
    del adata.obs["donor"]
    assert clr.get.embedding_qc(adata).batches.size == 0


def test_errors_say_what_to_run() -> None:
    adata = make_embedded()
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.embedding_qc({})
    with pytest.raises(KeyError, match=r"no 'foo' \(it has: 'clr_clusters', 'clr'\).*contrastive_embed"):
        clr.get.embedding_qc(adata, key="foo")
    with pytest.raises(ValueError, match=r"adata.uns\['clr_clusters'\] is not the record"):
        clr.get.embedding_qc(adata, key="clr_clusters")
    del adata.obsm["X_clr"]
    with pytest.raises(KeyError, match=r"adata.obsm has no 'X_clr' .*contrastive_embed"):
        clr.get.embedding_qc(adata)


def test_clusters_of_an_earlier_embedding(counts, tmp_path) -> None:
    quick = {"n_steps": 3, "device": "cpu", "progress": False}
    clr.pp.contrastive_preprocess(counts)
    for random_state in (0, 1):
        clr.tl.contrastive_embed(counts, **quick, random_state=random_state)
        clr.tl.contrastive_embed(counts, **quick, random_state=random_state, key_added="other")
        if random_state == 0:
            clr.tl.contrastive_cluster(counts, n_clusters=2)
            clr.get.embedding_qc(counts)
            clr.get.embedding_qc(counts, key="other")  # clusters of one in another are nobody's mistake
    counts.write_h5ad(tmp_path / "cells.h5ad")
    for adata in (counts, read_h5ad(tmp_path / "cells.h5ad")):
        for show in (clr.get.embedding_qc, clr.pl.embedding_qc):
            with pytest.warns(UserWarning, match=r"'clr_clusters'\] was made from an earlier training of .*'clr'"):
                show(adata) if show is clr.get.embedding_qc else show(adata, show=False)
        clr.get.embedding_qc(adata, key="other")
        clr.tl.contrastive_cluster(adata, n_clusters=2)
        clr.get.embedding_qc(adata)


SHOW = (clr.get.embedding_qc, lambda adata: clr.pl.embedding_qc(adata, show=False))


@pytest.mark.parametrize("show", SHOW, ids=["get", "pl"])
def test_samples_that_were_embedded_apart_and_joined(counts, show) -> None:
    for how in ("same", "unique"):
        with pytest.raises(ValueError, match=r"'clr'\] is what is left of .*joined.*tl\.map_query"):
            show(joined(counts.copy(), how))
    both = joined(counts, "first")
    with pytest.warns(UserWarning, match="has 140 cells.*trained on 80") as caught:
        show(both)
    ours = [warning for warning in caught if "trained on" in str(warning.message)]  # anndata may have its own
    assert [warning.filename for warning in ours] == [__file__]
    show(both[:80].copy())  # warnings are errors
