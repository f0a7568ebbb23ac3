"""The cells that two labellings share, counted as `pandas.crosstab` counts them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import scclr_ext as clr
from anndata_state import unchanged


def labelled(n: int = 200) -> AnnData:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "type": pd.Categorical(rng.choice(["B", "T", "NK"], n), categories=["T", "unused", "NK", "B"]),
            "number": rng.integers(0, 12, n),
            "text": rng.integers(0, 12, n).astype(str),
            "kept": rng.random(n) < 0.3,
        },
        index=[f"cell{i}" for i in range(n)],
    )
    return AnnData(obs=obs)


@pytest.mark.parametrize(("left", "right"), [("type", "number"), ("text", "type"), ("kept", "number")])
def test_counts_are_those_of_a_cross_table(left, right) -> None:
    adata = labelled()
    with unchanged(adata):
        table = clr.get.cluster_flow(adata, left, right)
    assert table.columns.tolist() == ["left", "right", "n_cells", "fraction"]
    assert (table["n_cells"] > 0).all()
    wide = table.pivot_table(index="left", columns="right", values="n_cells", fill_value=0, observed=True)
    expected = pd.crosstab(adata.obs[left], adata.obs[right])
    np.testing.assert_array_equal(wide.reindex(index=expected.index, columns=expected.columns), expected)
    np.testing.assert_allclose(table["fraction"], table["n_cells"] / 200)
    assert table["fraction"].sum() == pytest.approx(1)


def test_order_is_that_of_the_categories() -> None:
    table = clr.get.cluster_flow(labelled(), "type", "text")
    assert table["left"].cat.categories.tolist() == ["T", "NK", "B"]
    assert table["right"].cat.categories.tolist() == [str(i) for i in range(12)]  # 10 after 9
    assert table["left"].cat.codes.is_monotonic_increasing
    assert table.groupby("left", observed=True)["right"].apply(lambda c: c.cat.codes.is_monotonic_increasing).all()


def test_cells_without_a_label_are_left_out() -> None:
    adata = labelled()
    adata.obs.loc[adata.obs_names[:40], "type"] = np.nan
    adata.obs["text"] = adata.obs["text"].astype(object)
    adata.obs.loc[adata.obs_names[20:60], "text"] = np.nan
    adata.obs.loc[adata.obs["text"] == "3", "type"] = np.nan
    table = clr.get.cluster_flow(adata, "type", "text")
    assert table["n_cells"].sum() == (adata.obs["type"].notna() & adata.obs["text"].notna()).sum()
    assert "3" not in table["right"].cat.categories
    assert table["fraction"].sum() == pytest.approx(1)


def test_a_column_with_itself() -> None:
    table = clr.get.cluster_flow(labelled(), "type", "type")
    assert (table["left"] == table["right"]).all()


def test_errors_name_the_column() -> None:
    adata = labelled()
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.cluster_flow({}, "a", "b")
    with pytest.raises(KeyError, match=r"`left='foo'` is not a column of adata\.obs; found 'type'"):
        clr.get.cluster_flow(adata, "foo", "type")
    with pytest.raises(TypeError, match=r"`right` must be the name of one column .*found \['type', 'text'\]"):
        clr.get.cluster_flow(adata, "type", ["type", "text"])
    with pytest.raises(KeyError, match="`right='foo'`"):
        clr.get.cluster_flow(adata, "type", "foo")
    adata.obs["empty"] = pd.Categorical([np.nan] * 200, categories=["a"])
    with pytest.raises(ValueError, match=r"No cell has a label in both adata\.obs\['type'\] and adata\.obs\['empty'\]"):
        clr.get.cluster_flow(adata, "type", "empty")
