"""The river between two labellings: bars and bands are the table, in the colours and the order of the categories."""

from __future__ import annotations

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext.pl._colors import GREY


def labelled(n: int = 400, n_left: int = 6, n_right: int = 4, *, mixed: float = 0.2) -> AnnData:
    rng = np.random.default_rng(0)
    place = rng.random(n)
    seen = np.where(rng.random(n) < mixed, rng.random(n), place)
    # The names of the right side are in no helpful order.
    name = rng.permutation(n_right)
    obs = pd.DataFrame(
        {
            "a": pd.Categorical((place * n_left).astype(int).astype(str)),
            "b": pd.Categorical([f"type {name[i]}" for i in (seen * n_right).astype(int)]),
        },
        index=[f"cell{i}" for i in range(n)],
    )
    return AnnData(obs=obs)


def drawn(adata, left="a", right="b", **options) -> Axes:
    ax = clr.pl.cluster_flow(adata, left, right, show=False, **options)
    ax.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return ax


def ends(ax) -> np.ndarray:
    """Upper and lower edge on the left, then on the right, of each band."""
    return np.array([path.vertices[[0, 7, 3, 4], 1] for path in ax.collections[0].get_paths()])


def test_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, shown = labelled(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.cluster_flow(adata, "a", "b", return_fig=True), Figure)
    assert isinstance(clr.pl.cluster_flow(adata, "a", "b", show=False), Axes)
    assert not shown
    assert clr.pl.cluster_flow(adata, "a", "b", show=True) is None
    assert len(shown) == 1
    usual = sc.settings.autoshow
    try:
        sc.settings.autoshow = False
        assert isinstance(clr.pl.cluster_flow(adata, "a", "b"), Axes)
    finally:
        sc.settings.autoshow = usual
    _, ax = plt.subplots()
    assert clr.pl.cluster_flow(adata, "a", "b", ax=ax, show=False) is ax


def test_no_trace() -> None:
    adata, settings = labelled(), dict(mpl.rcParams)
    with unchanged(adata):
        drawn(adata)
    assert dict(mpl.rcParams) == settings


def test_bars_and_bands_are_the_table() -> None:
    adata = labelled()
    table = clr.get.cluster_flow(adata, "a", "b")
    ax = drawn(adata, min_fraction=0)
    for container, side in zip(ax.containers, ("left", "right"), strict=True):
        heights = [bar.get_height() for bar in container]
        assert heights == table.groupby(side, observed=True)["n_cells"].sum().tolist()
    edges = ends(ax)
    np.testing.assert_allclose(edges[:, 1] - edges[:, 0], table["n_cells"])
    np.testing.assert_allclose(edges[:, 3] - edges[:, 2], table["n_cells"])
    for side, first in ((0, 0), (1, 2)):
        # Each band starts in its own bar, and the bands of a bar fill it.
        codes = table[("left", "right")[side]].cat.codes
        bars = list(ax.containers[side])
        for code, bar in enumerate(bars):
            own = np.sort(edges[codes == code, first : first + 2], axis=0)
            np.testing.assert_allclose(own[:, 0], [bar.get_y(), *own[:-1, 1]])
            assert own[-1, 1] == pytest.approx(bar.get_y() + bar.get_height())


def test_thin_bands_are_left_out_and_counted() -> None:
    adata = labelled()
    table = clr.get.cluster_flow(adata, "a", "b")
    of_bar = [table.groupby(side, observed=True)["n_cells"].transform("sum") for side in ("left", "right")]
    wide = table["n_cells"] >= 0.3 * np.minimum(*of_bar)
    assert 0 < wide.sum() < len(table)
    ax = drawn(adata, min_fraction=0.3)
    edges = ends(ax)
    np.testing.assert_allclose(edges[:, 1] - edges[:, 0], table["n_cells"][wide])
    share = table["fraction"][~wide].sum()
    assert ax.get_xlabel() == f"not drawn, in thinner bands: {share:.1%} of the cells"
    assert drawn(adata, min_fraction=0).get_xlabel() == ""


def test_among_many_small_categories_cells_still_flow() -> None:
    rng = np.random.default_rng(0)
    obs = {key: pd.Categorical(rng.integers(30, size=10_000).astype(str)) for key in ("a", "b")}
    adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(10_000)]))
    adata.obs["rare"] = pd.Categorical(np.where(np.arange(10_000) < 3, "rare", "common"))
    edges = ends(drawn(adata))
    assert (edges[:, 1] - edges[:, 0]).sum() > 9000
    kept = ends(drawn(adata, "a", "rare"))
    assert (kept[:, 1] - kept[:, 0]).min() == pytest.approx(1)


def test_order_keeps_cells_from_crossing() -> None:
    adata = labelled(mixed=0)
    edges = ends(drawn(adata, min_fraction=0))
    cross = np.subtract.outer(edges[:, 0], edges[:, 0]) * np.subtract.outer(edges[:, 2], edges[:, 2])
    assert (cross >= -1e-9).all()


def test_an_ordered_column_keeps_its_order() -> None:
    adata = labelled(n_right=6, mixed=0.05)
    for side, key in enumerate(("a", "b")):
        ordered = adata.copy()
        ordered.obs[key] = ordered.obs[key].cat.as_ordered()
        tops = [bar.get_y() for bar in drawn(ordered).containers[side]]
        assert tops == sorted(tops)


def test_colours() -> None:
    adata = labelled()
    ax = drawn(adata)
    left, right = ([to_hex(bar.get_facecolor()) for bar in side] for side in ax.containers)
    assert left == [to_hex(color) for color in mpl.rcParams["axes.prop_cycle"].by_key()["color"][:6]]
    assert set(right) == {GREY.lower()}
    table = clr.get.cluster_flow(adata, "a", "b")
    bands = ax.collections[0].get_facecolors()
    wide = table[table["n_cells"] >= 2]
    np.testing.assert_allclose(bands[:, :3], [to_rgba(left[i])[:3] for i in wide["left"].cat.codes])
    adata.uns["b_colors"] = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]
    assert [to_hex(bar.get_facecolor()) for bar in drawn(adata).containers[1]] == adata.uns["b_colors"]
    ax = drawn(adata, color_by="right")
    assert set(map(to_hex, ax.collections[0].get_facecolors())) == set(adata.uns["b_colors"])
    assert {to_hex(bar.get_facecolor()) for bar in ax.containers[0]} == {GREY.lower()}


def test_bars_are_named() -> None:
    adata = labelled(n_right=3)
    adata.obs["b"] = adata.obs["b"].cat.rename_categories({"type 0": "a type of cell with a long name"})
    texts = [text.get_text() for text in drawn(adata).texts]
    assert texts == [*"012345", "a type of ce…ng name", "type 1", "type 2"]


@pytest.mark.parametrize(("n_left", "n_right"), [(2, 2), (40, 8), (60, 60)])
def test_names_do_not_overlap(n_left, n_right) -> None:
    ax = drawn(labelled(3000, n_left, n_right))
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in ax.texts]
    for side in (boxes[:n_left], boxes[n_left:]):
        tops = sorted((box.y0, box.y1) for box in side)
        assert all(a[1] <= b[0] + 2 for a, b in zip(tops[:-1], tops[1:], strict=True))
    width, height = ax.figure.bbox.size
    assert all(box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1 for box in boxes)


def test_one_category_a_small_axes_and_missing_labels() -> None:
    adata = labelled()
    adata.obs["one"] = "all"
    adata.obs.loc[adata.obs_names[:100], "b"] = np.nan
    assert sum(bar.get_height() for bar in drawn(adata, "one").containers[0]) == 300
    _, axes = plt.subplots(4, 4)
    drawn(labelled(1000, 40, 30), ax=axes[1, 2])


def test_errors_leave_no_figure() -> None:
    adata = labelled()
    with pytest.raises(KeyError, match="`right='foo'` is not a column"):
        clr.pl.cluster_flow(adata, "a", "foo")
    with pytest.raises(ValueError, match="`color_by` must be 'left' or 'right'; found 'a'"):
        clr.pl.cluster_flow(adata, "a", "b", color_by="a")
    with pytest.raises(ValueError, match="`min_fraction` must be between 0 and 1; found 5"):
        clr.pl.cluster_flow(adata, "a", "b", min_fraction=5)
    with pytest.raises(TypeError, match="`ax` is a str; give an Axes"):
        clr.pl.cluster_flow(adata, "a", "b", ax="here")
    assert not plt.get_fignums()
