"""Tables of repeated runs, from a record made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, concat

import scclr_ext as clr


def record() -> dict:
    ari = np.array([[1.0, 0.8, 0.5], [0.8, 1.0, 0.2], [0.5, 0.2, 1.0]])
    return {
        "params": {"obsm_key": "X_clr", "clusters_key": "clr_consensus", "confidence_key": "clr_consensus_confidence"},
        "runs": {
            "calinski_harabasz": np.array([90.0, 110.0, 100.0]),
            "mean_ari": np.array([0.65, 0.5, 0.35]),
            "n_clusters": np.array([2, 3, 4]),
            "seed": np.array([7, 8, 9]),
            "silhouette": np.array([0.0, 0.0, 0.0]),
            "final_loss": np.array([-1.0, -2.0, -3.0]),
        },
        "ari": ari,
        "neighbor_overlap": ari / 2 + np.eye(3) / 2,
        "clusters": {
            "cluster": np.array(["0", "1"]),
            "n_cells": np.array([6, 2]),
            "confidence": np.array([1.0, 0.2]),
            "neighbor_overlap": np.array([0.9, 0.1]),
        },
        "unsure": 0.25,
    }


@pytest.fixture
def repeated() -> AnnData:
    adata = AnnData(np.zeros((8, 2), dtype=np.float32))
    adata.uns["clr_stability"] = record()
    return adata


def test_summary(repeated) -> None:
    row = clr.get.stability(repeated).summary.loc["clr_stability"]
    expected = {"n_runs": 3, "n_cells": 8, "n_clusters": 2, "mean_ari": 0.5, "min_ari": 0.2, "unsure": 0.25}
    assert row[list(expected)].to_dict() == pytest.approx(expected)
    assert row["confidence"] == pytest.approx((6 * 1.0 + 2 * 0.2) / 8)
    assert row["neighbor_overlap"] == pytest.approx(0.25)


def test_runs_and_pairs(repeated) -> None:
    tables = clr.get.stability(repeated)
    assert list(tables.runs) == ["n_clusters", "silhouette", "calinski_harabasz", "mean_ari", "final_loss"]
    assert tables.runs.loc[8, "n_clusters"] == 3
    assert tables.ari.loc[8, 9] == 0.2
    assert tables.neighbor_overlap.loc[7, 8] == 0.4
    assert tables.clusters.loc["1", "confidence"] == 0.2


def test_variation_is_the_coefficient_of_the_paper(repeated) -> None:
    table = clr.get.stability(repeated).variation
    assert table.loc["calinski_harabasz"].to_list() == pytest.approx([100, 10, 0.1])
    assert table.loc["n_clusters", "cv"] == pytest.approx(np.std([2, 3, 4], ddof=1) / 3)
    assert table.loc["final_loss", "cv"] == pytest.approx(0.5)  # not negative
    assert np.isnan(table.loc["silhouette", "cv"])


def test_nothing_is_written(repeated) -> None:
    before = pd.Series(repr(repeated.uns))
    clr.get.stability(repeated)
    assert repr(repeated.uns) == before[0]


def test_what_is_missing_is_said(repeated) -> None:
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.stability({})
    with pytest.raises(KeyError, match=r"no 'foo' \(it has: 'clr_stability'\).*tl\.stability"):
        clr.get.stability(repeated, key="foo")
    for broken in ({}, "text", {"params": {}}):
        repeated.uns["clr_stability"] = broken
        with pytest.raises(ValueError, match=r"not the record of repeated runs.*key_added"):
            clr.get.stability(repeated)


@pytest.fixture
def with_cells(repeated) -> AnnData:
    repeated.obs["clr_consensus"] = pd.Categorical(["0"] * 6 + ["1"] * 2)
    repeated.obs["clr_consensus_confidence"] = [1.0] * 6 + [0.1, 0.3]
    return repeated


def test_cells_that_were_taken_away_do_not_count(with_cells) -> None:
    left = clr.get.stability(with_cells[2:7].copy())
    row = left.summary.loc["clr_stability"]
    assert row[["n_cells", "n_clusters", "unsure"]].tolist() == pytest.approx([5, 2, 0.2])
    assert row["confidence"] == pytest.approx(4.1 / 5)
    assert left.clusters["n_cells"].tolist() == [4, 1]
    assert left.clusters["confidence"].tolist() == pytest.approx([1.0, 0.1])
    assert left.clusters["neighbor_overlap"].tolist() == [0.9, 0.1]  # of all that were run, as are the pairs
    assert row["mean_ari"] == 0.5
    one = clr.get.stability(with_cells[:3].copy())
    assert one.clusters["n_cells"].tolist() == [3, 0]
    assert one.summary["confidence"].item() == 1
    none = clr.get.stability(with_cells[:0].copy()).summary
    assert none["n_cells"].item() == 0
    assert none[["confidence", "unsure"]].isna().all(axis=None)


def test_all_cells_have_the_numbers_that_were_recorded(with_cells) -> None:
    with_cells.uns["clr_stability"]["unsure"] = 0.26
    assert clr.get.stability(with_cells).summary["unsure"].item() == 0.26


@pytest.mark.parametrize("change", ["gone", "renamed", "missing"])
def test_cells_that_cannot_be_counted_anew(with_cells, change) -> None:
    left = with_cells[2:].copy()
    if change == "gone":
        del left.obs["clr_consensus_confidence"]
    elif change == "renamed":
        left.obs["clr_consensus"] = left.obs["clr_consensus"].cat.rename_categories({"0": "T", "1": "B"})
    else:
        left.obs["clr_consensus"] = left.obs["clr_consensus"].astype(object).where(np.arange(6) > 0)
    pd.testing.assert_frame_equal(clr.get.stability(left).clusters, clr.get.stability(with_cells).clusters)


def test_cells_that_were_never_run_are_told_of(with_cells) -> None:
    both = concat([with_cells, with_cells], uns_merge="first", index_unique="-")
    with pytest.warns(UserWarning, match=r"16 cells, of which 8 .*'clr_stability'\].*tl\.stability") as caught:
        tables = clr.get.stability(both)
    assert caught[0].filename == __file__
    assert tables.summary["n_cells"].item() == 8
