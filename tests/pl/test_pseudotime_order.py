"""Each stage is a row, each cell a point at its pseudotime; the correlation is the table's."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STAGES = ["zygote", "2cell", "blast"]


def ordered(n: int = 60) -> AnnData:
    rng = np.random.default_rng(0)
    code = np.arange(n) % 3
    obs = pd.DataFrame(
        {"stage": pd.Categorical.from_codes(code, STAGES), "clr_pseudotime": code / 3 + rng.random(n) / 2},
        index=[f"cell{i}" for i in range(n)],
    )
    return AnnData(obs=obs)


def drawn(adata, **options) -> Axes:
    ax = clr.pl.pseudotime_order(adata, "stage", show=False, **options)
    ax.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return ax


def test_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, shown = ordered(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.pseudotime_order(adata, "stage", return_fig=True), Figure)
    _, ax = plt.subplots()
    assert drawn(adata, ax=ax) is ax
    assert not shown
    assert clr.pl.pseudotime_order(adata, "stage", show=True) is None
    assert len(shown) == 1


def test_points_are_the_table_and_nothing_changes() -> None:
    adata, settings = ordered(), dict(mpl.rcParams)
    adata.uns["stage_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    with unchanged(adata):
        ax = drawn(adata, title="a name")
    assert dict(mpl.rcParams) == settings
    table = clr.get.pseudotime_order(adata, "stage")
    clouds, medians = ax.collections[::2], ax.collections[1::2]
    for i, (cloud, line, name) in enumerate(zip(clouds, medians, STAGES, strict=True)):
        x, y = np.asarray(cloud.get_offsets()).T
        own = table.loc[table["stage"] == name, "pseudotime"]
        np.testing.assert_allclose(x, np.sort(own))
        assert (np.rint(y) == i).all()
        assert to_hex(cloud.get_facecolors()[0]) == adata.uns["stage_colors"][i]
        assert line.get_segments()[0][0, 0] == pytest.approx(own.median())
    rho = table["pseudotime"].corr(table["order"], method="spearman")
    assert ax.get_title(loc="right") == f"Spearman {rho:.3f}"
    assert ax.get_title(loc="left") == "a name"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == STAGES


def test_cells_that_are_not_reached_are_counted() -> None:
    adata = ordered()
    adata.obs.loc[adata.obs_names[:9], "clr_pseudotime"] = np.inf
    ax = drawn(adata)
    assert [text.get_text() for text in ax.texts] == ["3 not reached"] * 3
    assert sum(len(cloud.get_offsets()) for cloud in ax.collections[::2]) == 51
    adata.obs["clr_pseudotime"] = np.nan
    assert drawn(adata).get_title(loc="right") == "no order"


def test_errors_leave_no_figure() -> None:
    with pytest.raises(KeyError, match="`key='foo'`"):
        clr.pl.pseudotime_order(ordered(), "stage", key="foo")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.pseudotime_order(ordered(), "stage", ax="here")
    assert not plt.get_fignums()
