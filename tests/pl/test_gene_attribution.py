"""The figure of contributions: bars are the table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scanpy as sc
from anndata import AnnData
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext.pl._colors import BLUE, GREY, LIGHT_GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attributed(n_groups=3, n_genes=40, *, markers=True) -> AnnData:
    rng = np.random.default_rng(0)
    adata = AnnData(rng.gamma(1.0, size=(60, n_genes)).astype(np.float32))
    adata.var_names = [f"GENE{i}" for i in range(n_genes)]
    adata.obs["type"] = [f"type {i % n_groups}" for i in range(60)]
    adata.obs["type"] = adata.obs["type"].astype("category")
    values = rng.normal(0.2, 1, size=(n_genes, n_groups))
    adata.varm["clr_attribution"] = values
    adata.varm["clr_attribution_difference"] = rng.normal(size=values.shape)
    adata.uns["clr_attribution"] = {
        "params": {"groupby": "type", "reference": "rest", "difference_key": "clr_attribution_difference"},
        "groups": np.array([f"type {i}" for i in range(n_groups)]),
        "genes": adata.var_names.to_numpy(dtype=str),
        "total": np.abs(values.sum(axis=0)),
        "error": np.zeros(n_groups),
    }
    if markers:
        sc.tl.rank_genes_groups(adata, "type")
    return adata


def drawn(adata, *args, **options) -> list[Axes]:
    axes = clr.pl.gene_attribution(adata, *args, show=False, **options)
    axes[0].figure.canvas.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return axes


def genes_of(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_what_comes_back(monkeypatch) -> None:
    adata, shown = attributed(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.gene_attribution(adata, return_fig=True), Figure)
    axes = clr.pl.gene_attribution(adata, show=False)
    expected = [f"type {i}: {what}" for i in range(3) for what in ("drivers", "markers")]
    assert [ax.get_title(loc="left") for ax in axes] == expected
    assert not shown
    assert clr.pl.gene_attribution(adata, show=True) is None
    assert len(shown) == 1


def test_no_trace() -> None:
    adata, settings = attributed(), dict(mpl.rcParams)
    with unchanged(adata):
        drawn(adata)
    assert dict(mpl.rcParams) == settings


def test_bars_are_the_table() -> None:
    adata = attributed()
    axes, table = drawn(adata, n_genes=6), clr.get.gene_attribution(adata, n_genes=6)
    for i in range(3):
        ax, own = axes[2 * i], table[table["group"] == f"type {i}"]
        assert genes_of(ax) == own["gene"].tolist()
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], own["share"])
        assert ax.get_yticks()[0] == max(ax.get_yticks())  # the strongest on top
        colors = [BLUE if up else VERMILLION for up in own["difference"] >= 0]
        assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [color.lower() for color in colors]


def test_markers_that_drive_are_dark() -> None:
    adata = attributed()
    drive, mark = drawn(adata, "type 1", n_genes=12)
    best = adata.uns["rank_genes_groups"]["names"]["type 1"][:12].tolist()
    assert genes_of(mark) == best
    colors = [GREY if gene in genes_of(drive) else LIGHT_GREY for gene in best]
    assert len(set(colors)) == 2
    assert [to_hex(bar.get_facecolor()) for bar in mark.patches] == [color.lower() for color in colors]


def test_without_markers() -> None:
    assert len(drawn(attributed(markers=False))) == 3
    adata = attributed()
    adata.uns["clr_attribution"]["groups"] = np.array(["type 0", "type 1", "someone else"])
    axes = drawn(adata)
    assert axes[5].texts[0].get_text().startswith("rank_genes_groups does not")


def test_markers_of_another_clustering_are_not_drawn() -> None:
    adata = attributed()
    adata.obs["other"] = adata.obs["type"].to_numpy()[::-1]
    sc.tl.rank_genes_groups(adata, "other")
    with pytest.warns(UserWarning, match="'other'"):
        axes = drawn(adata)
    assert [ax.get_title(loc="left") for ax in axes] == [f"type {i}: drivers" for i in range(3)]
    adata.uns["theirs"] = adata.uns.pop("rank_genes_groups")
    with pytest.raises(ValueError, match="`rank_key='theirs'`"):
        clr.pl.gene_attribution(adata, rank_key="theirs")


def test_more_genes_than_anyone_reads() -> None:
    axes = clr.pl.gene_attribution(attributed(2, 150), n_genes=10**6, show=False)
    assert [len(ax.patches) for ax in axes] == [100] * 4


def test_long_names_stay_in_the_figure() -> None:
    adata = attributed(4, markers=False)
    longer = [f"effector memory CD{i}-positive, alpha-beta T cell" for i in range(4)]
    adata.obs["type"] = adata.obs["type"].cat.rename_categories(longer)
    sc.tl.rank_genes_groups(adata, "type")
    adata.uns["clr_attribution"]["groups"] = np.array(longer)
    axes = drawn(adata)
    figure = axes[0].figure
    titles = [ax._left_title.get_window_extent(figure.canvas.get_renderer()) for ax in axes]
    assert len({ax.get_title(loc="left") for ax in axes}) == 8
    assert all(box.x1 <= figure.bbox.x1 for box in titles)
    row = titles[:4]
    assert all(a.x1 < b.x0 for a, b in zip(row[:-1], row[1:], strict=True))


def test_all_cells_have_no_direction_of_change() -> None:
    adata = attributed(1, markers=False)
    adata.varm["clr_attribution_difference"][:] = 0
    (ax,) = drawn(adata)
    assert {to_hex(bar.get_facecolor()) for bar in ax.patches} == {GREY.lower()}
    assert ax.get_legend() is None


def test_many_groups_few_genes_and_a_small_place() -> None:
    drawn(attributed(11, 3, markers=False))
    adata = attributed()
    adata.uns["clr_attribution"]["total"][0] = 0
    assert drawn(adata)[0].texts[0].get_text() == "the network moves these cells nowhere"
    _, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
    drawn(attributed(2), ax=axes[0])


def test_errors_leave_no_figure() -> None:
    adata = attributed()
    with pytest.raises(KeyError, match="no 'foo'"):
        clr.pl.gene_attribution(adata, key="foo")
    with pytest.raises(KeyError, match="`groups` names 'nobody'"):
        clr.pl.gene_attribution(adata, ["nobody"])
    with pytest.raises(ValueError, match="`n_genes` must be"):
        clr.pl.gene_attribution(adata, n_genes=0)
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.gene_attribution(adata, ax="here")
    assert not plt.get_fignums()
