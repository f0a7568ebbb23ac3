"""The table behind the staircase: order, ranks, and cells without a time or a stage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.stats import spearmanr

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext._stale import training_of

STAGES = ["zygote", "2cell", "blast"]


def ordered(n: int = 60) -> AnnData:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, n)
    obs = pd.DataFrame(
        {
            "stage": pd.Categorical.from_codes(code, STAGES),
            "day": code * 1.5,
            "clr_pseudotime": code / 3 + rng.random(n) / 2,
        },
        index=[f"cell{i}" for i in range(n)],
    )
    return AnnData(obs=obs)


@pytest.mark.parametrize("stage", ["stage", "day"])
def test_numbers(stage) -> None:
    adata = ordered()
    with unchanged(adata):
        table = clr.get.pseudotime_order(adata, stage)
    assert table.index.tolist() == adata.obs_names.tolist()
    expected = spearmanr(adata.obs["clr_pseudotime"], adata.obs["day"])[0]
    assert table["pseudotime"].corr(table["order"], method="spearman") == pytest.approx(expected)
    assert table["stage"].cat.ordered
    np.testing.assert_array_equal(table["order"], adata.obs["day"] if stage == "day" else adata.obs["stage"].cat.codes)
    np.testing.assert_array_equal(np.argsort(table["rank"]), np.argsort(adata.obs["clr_pseudotime"]))


def test_cells_without_a_time_or_a_stage() -> None:
    adata = ordered()
    adata.obs["dpt_pseudotime"] = adata.obs["clr_pseudotime"].where(adata.obs["stage"] != "blast", np.inf)
    adata.obs.loc[adata.obs_names[:7], "stage"] = np.nan
    table = clr.get.pseudotime_order(adata, "stage", key="dpt_pseudotime")
    assert len(table) == 53
    lost = table["stage"] == "blast"
    assert table.loc[lost, ["pseudotime", "rank"]].isna().all(axis=None)
    assert np.isfinite(table.loc[~lost, "pseudotime"]).all()
    assert table["rank"].max() == (~lost).sum()


def test_a_guessed_order_is_told() -> None:
    adata = ordered()
    adata.obs["stage"] = adata.obs["stage"].astype(str)
    with pytest.warns(UserWarning, match=r"obs\['stage'\].*order of their names \(2cell, blast, zygote\).*Categorical"):
        table = clr.get.pseudotime_order(adata, "stage")
    assert table["stage"].cat.categories.tolist() == ["2cell", "blast", "zygote"]
    adata.obs["stage"] = adata.obs["stage"].astype("category")  # as anndata writes it
    with pytest.warns(UserWarning, match="order of their names"):
        clr.get.pseudotime_order(adata, "stage")
    for told in (
        adata.obs["stage"].cat.as_ordered(),
        adata.obs["stage"].cat.reorder_categories(STAGES),
        adata.obs["day"].map("E{:.0f}".format),
        adata.obs["day"] > 1,
        "blast",
    ):
        adata.obs["told"] = told
        clr.get.pseudotime_order(adata, "told")  # warnings are errors


def test_errors() -> None:
    adata = ordered()
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.pseudotime_order({}, "stage")
    with pytest.raises(KeyError, match="`stage='foo'` is not a column"):
        clr.get.pseudotime_order(adata, "foo")
    with pytest.raises(KeyError, match=r"`key='foo'`.*Run scclr_ext\.tl\.contrastive_pseudotime"):
        clr.get.pseudotime_order(adata, "stage", key="foo")
    with pytest.raises(TypeError, match="`key='stage'` is a column of adata.obs that is not numeric"):
        clr.get.pseudotime_order(adata, "day", key="stage")
    adata.obs["none"] = np.nan
    with pytest.raises(ValueError, match=r"No cell has a stage in adata\.obs\['none'\]"):
        clr.get.pseudotime_order(adata, "none")


SHOW = (clr.get.pseudotime_order, lambda *args, **options: clr.pl.pseudotime_order(*args, show=False, **options))


@pytest.mark.parametrize("show", SHOW, ids=["get", "pl"])
def test_an_order_of_an_earlier_training(show) -> None:
    adata = ordered()
    adata.uns["clr"] = {"params": {"obsm_key": "X_clr"}, "history": {"loss": np.array([2.0, 1.0])}}
    params = {"use_rep": "X_clr", "training": training_of(adata.uns["clr"])}
    adata.uns["clr_pseudotime"] = {"params": params, "n_pieces": 1, "agreement": 0.9}
    show(adata, "stage")  # warnings are errors
    adata.uns["clr"]["history"]["loss"] = np.array([2.0, 1.5])
    with pytest.warns(
        UserWarning, match=r"'clr_pseudotime'\] was made from an earlier training.*_pseudotime"
    ) as caught:
        show(adata, "stage")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    adata.obs["dpt_pseudotime"] = adata.obs["clr_pseudotime"]
    show(adata, "stage", key="dpt_pseudotime")
