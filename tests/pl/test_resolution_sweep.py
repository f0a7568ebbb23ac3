"""The figure of a sweep: it shows the table, the choice and the river, whatever the sweep was."""

from __future__ import annotations

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scanpy as sc
from anndata import read_h5ad
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext.get._sweep_record import read_sweep
from scclr_ext.pl._colors import GREY, VERMILLION
from scclr_ext.pl._sweep_columns import sweep_columns
from swept import by_size, make_swept, sweep_record

TITLES = [
    "",
    "Number of clusters",
    "Criteria, each scaled to 0 to 1",
    "Weight and expected ARI",
    "Where cells go as the resolution rises",
]


def panels(adata, **options):
    """The axes in order, after everything was drawn once."""
    axes = clr.pl.resolution_sweep(adata, show=False, **options)
    axes[0].figure.canvas.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return axes


def bars(ax):
    return [patch for container in ax.containers for patch in container]


def words(ax) -> str:
    return " | ".join(text.get_text() for text in ax.texts)


def test_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, shown = make_swept(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.resolution_sweep(adata, return_fig=True), Figure)
    axes = clr.pl.resolution_sweep(adata, show=False)
    assert [ax.get_title(loc="left") for ax in axes] == TITLES
    assert not shown
    assert clr.pl.resolution_sweep(adata, show=True) is None
    assert len(shown) == 1
    usual = sc.settings.autoshow
    try:
        sc.settings.autoshow = False
        assert isinstance(clr.pl.resolution_sweep(adata), list)
    finally:
        sc.settings.autoshow = usual


@pytest.mark.parametrize("index", [3, -1])
def test_no_trace(index) -> None:
    adata, settings = make_swept(index=index), dict(mpl.rcParams)
    with unchanged(adata):
        panels(adata)
    assert dict(mpl.rcParams) == settings


def test_curves_are_the_table() -> None:
    adata = make_swept()
    table = clr.get.resolution_sweep(adata)
    _, numbers, criteria, agreement, _ = panels(adata)
    np.testing.assert_array_equal(numbers.lines[0].get_xdata(), table["resolution"])
    np.testing.assert_array_equal(numbers.lines[0].get_ydata(), table["n_clusters"])
    assert numbers.get_xscale() == criteria.get_xscale() == agreement.get_xscale() == "log"
    drawn = {line.get_label(): line for line in criteria.lines}
    for label, column in {
        "score": "score",
        "silhouette": "silhouette",
        "separation, worst tenth": "separation_q10",
    }.items():
        values = table[column]
        expected = (values - values.min()) / (values.max() - values.min())
        np.testing.assert_allclose(drawn[label].get_ydata(), expected)
        np.testing.assert_array_equal(drawn[label].get_xdata(), table["resolution"])
    assert [text.get_text() for text in criteria.get_legend().get_texts()] == [
        "separation, mean",
        "separation, worst tenth",
        "silhouette",
        "Calinski-Harabasz",
        "modularity",
        "score",
    ]
    np.testing.assert_allclose([bar.get_height() for bar in bars(agreement)], table["weight"])
    np.testing.assert_array_equal(agreement.lines[0].get_ydata(), table["expected_ari"])


def test_the_choice_is_marked_and_said() -> None:
    adata = make_swept()
    verdict, numbers, criteria, agreement, river = panels(adata)
    assert (
        words(verdict) == "3 clusters, at resolution 0.58 | expected ARI 0.85; runner-up: 2 clusters, score 0.04 lower"
    )
    red = [to_rgba(VERMILLION) == bar.get_facecolor() for bar in bars(agreement)]
    assert np.flatnonzero(red).tolist() == [3]
    for ax in (numbers, criteria, agreement):
        marks = [line.get_xdata() for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata()) == 2]
        assert adata.uns["clr_clusters"]["sweep"]["resolution"][3] in np.ravel(marks)
    bold = [label.get_text() for label in river.get_xticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["0.58"]


def test_how_sure_it_is() -> None:
    adata = make_swept()
    choice = adata.uns["clr_clusters"]["choice"]
    choice["margin"] = -0.02
    assert words(panels(adata)[0]).endswith("score 0.02 higher")
    choice |= {"stability": 0.9, "confidence": 0.88}
    assert words(panels(adata)[0]).split(" | ")[1].startswith("confidence 0.88; expected ARI 0.85, stability 0.90; run")
    choice |= {"stability": float("nan"), "confidence": float("nan")}
    choice["runner_up"], choice["margin"] = 0, float("inf")
    assert words(panels(adata)[0]).endswith("expected ARI 0.85; no runner-up")


def test_one_cluster_is_said() -> None:
    verdict, _, _, agreement, river = panels(make_swept(index=-1))
    assert words(verdict).startswith("One cluster")
    assert "no candidate" in words(agreement)
    assert {bar.get_facecolor() for bar in bars(river)} == {to_rgba(GREY)}
    assert "bold" not in [label.get_fontweight() for label in river.get_xticklabels()]


# The river


def bands_of(ax) -> list[list[float]]:
    """Width of each band, column by column."""
    return [
        [path.vertices[7, 1] - path.vertices[0, 1] for path in collection.get_paths()] for collection in ax.collections
    ]


def test_the_river_is_the_flow() -> None:
    adata = make_swept(n_obs=400, counts=(1, 2, 4, 6), index=2, moving=0.1)
    flow = read_sweep(adata, "clr_clusters").flow
    ax = panels(adata)[-1]
    for step, container in enumerate(ax.containers[:-1]):
        of_step = flow[flow["step"] == step]
        assert [bar.get_height() for bar in container] == of_step.groupby("source")["n_cells"].sum().tolist()
        wide = of_step["n_cells"][of_step["n_cells"] >= 0.005 * 400]
        drawn = sorted(bands_of(ax)[step])
        np.testing.assert_allclose(drawn[-len(wide) :], sorted(wide))
    assert [bar.get_height() for bar in ax.containers[-1]] == of_step.groupby("target")["n_cells"].sum().tolist()


def test_bands_lie_within_their_bars_and_apart() -> None:
    ax = panels(make_swept(n_obs=400, counts=(1, 2, 4, 6), index=2, moving=0.1))[-1]
    for step, collection in enumerate(ax.collections):
        for side, (upper, lower) in enumerate([(0, 7), (3, 4)]):
            spans = np.array([(b.get_y(), b.get_y() + b.get_height()) for b in ax.containers[step + side]])
            ends = np.array([path.vertices[[upper, lower], 1] for path in collection.get_paths()])
            inside = (ends[:, None, 0] >= spans[:, 0] - 1e-6) & (ends[:, None, 1] <= spans[:, 1] + 1e-6)
            assert (inside.sum(axis=1) == 1).all()
            ends = ends[np.argsort(ends[:, 0])]
            assert (ends[1:, 0] >= ends[:-1, 1] - 1e-6).all()


def crossings(ax) -> int:
    total = 0
    for collection in ax.collections:
        left, right = np.array([path.vertices[[0, 3], 1] for path in collection.get_paths()]).T
        total += int((np.subtract.outer(left, left) * np.subtract.outer(right, right) < -1e-6).sum() // 2)
    return total


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_has_no_crossings(seed) -> None:
    ax = panels(make_swept(2000, (1, 2, 3, 5, 9, 16, 30), moving=0, seed=seed))[-1]
    assert crossings(ax) == 0


def test_columns_that_hardly_differ_are_one() -> None:
    adata = make_swept(counts=(1, 2, 3, 3, 3, 5), index=3, moving=0)
    columns = sweep_columns(read_sweep(adata, "clr_clusters"))
    assert columns.spans == [(0, 0), (1, 1), (2, 4), (5, 5)]
    assert columns.shown == [0, 1, 3, 5]
    assert columns.chosen == 2
    labels = [label.get_text() for label in panels(adata)[-1].get_xticklabels()]
    assert labels == ["0.05", "0.11", "0.26\nto 1.3", "3"]
    # Many small differences are not lost on the way: 0.3 % each are too much together.
    base = np.repeat([0, 1, 2], [500, 300, 200])
    partitions = [base.copy() for _ in range(4)]
    for i in range(4):
        partitions[i][: 3 * i] = 1
    adata.uns["clr_clusters"] = sweep_record(partitions, np.geomspace(0.1, 1, 4), 0)
    assert sweep_columns(read_sweep(adata, "clr_clusters")).spans == [(0, 1), (2, 3)]


def test_clusters_that_change_rank_keep_their_bar() -> None:
    # Two clusters nearly as large as one another swap numbers within a column, which starts and ends in splits.
    base = np.repeat([0, 1, 2], [401, 400, 199])
    swapped = base.copy()
    swapped[:2] = 1
    partitions = [
        by_size(labels) for labels in (np.minimum(base, 1), base, swapped, np.where(np.arange(1000) < 100, 3, swapped))
    ]
    adata = make_swept()
    for index in (1, 2):
        adata.uns["clr_clusters"] = sweep_record(partitions, np.geomspace(0.1, 1, 4), index)
        columns = sweep_columns(read_sweep(adata, "clr_clusters"))
        assert columns.spans == [(0, 0), (1, 2), (3, 3)]
        # The cluster with the first cells loses 98 of the first 100: two had left before.
        first = partitions[index][50]
        split = columns.river.bands[1].query("source == @first")
        assert sorted(split["n_cells"]) == [98, 301]
        assert columns.river.bands[0].groupby("target")["n_cells"].sum().loc[first] == 401


def test_colours_are_those_of_the_chosen_clusters() -> None:
    adata = make_swept(moving=0)
    adata.uns["clr_clusters_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    ax = panels(adata)[-1]
    colors = [[bar.get_facecolor() for bar in container] for container in ax.containers]
    own = [to_rgba(color) for color in adata.uns["clr_clusters_colors"]]
    column = [label.get_text() for label in ax.get_xticklabels()].index("0.26\nto 0.58")
    assert colors[column] == own
    assert set(colors[-1]) == set(own)
    finest = clr.get.resolution_sweep(adata)["n_clusters"].max()
    assert len(colors[-1]) == finest


def test_chosen_bars_are_named() -> None:
    assert words(panels(make_swept())[-1]) == "0 | 1 | 2"


# Every kind of sweep


def test_a_sweep_over_numbers_of_clusters() -> None:
    adata = make_swept(counts=(2, 3, 5, 8), index=1)
    del adata.uns["clr_clusters"]["sweep"]["resolution"]
    axes = panels(adata)
    assert [ax.get_title(loc="left") for ax in axes] == [
        *TITLES[:1],
        *TITLES[2:4],
        TITLES[4].replace("resolution", "number of clusters"),
    ]
    assert words(axes[0]).startswith("3 clusters |")
    assert [label.get_text() for label in axes[-1].get_xticklabels()] == ["2", "3", "5", "8"]
    assert axes[1].get_xlabel() == "number of clusters"


def test_numbers_of_clusters_that_were_not_reached() -> None:
    for counts in ((2, 3, 3), (3, 3)):
        adata = make_swept(counts=counts, index=1)
        del adata.uns["clr_clusters"]["sweep"]["resolution"]
        agreement = panels(adata)[2]
        assert len(bars(agreement)) == len(counts)


def test_a_single_candidate() -> None:
    adata = make_swept(counts=(3,), index=0)
    axes = panels(adata)
    assert "nothing to compare" in words(axes[-1])
    assert words(axes[0]).endswith("no runner-up")


def test_constant_and_missing_criteria() -> None:
    adata = make_swept()
    sweep = adata.uns["clr_clusters"]["sweep"]
    sweep["modularity"] = np.full(6, 0.4)
    sweep["silhouette"] = np.full(6, np.nan)
    del sweep["calinski_harabasz"]
    drawn = {line.get_label(): line.get_ydata() for line in panels(adata)[2].lines}
    assert not drawn["modularity"].any()
    assert not {"silhouette", "Calinski-Harabasz"} & set(drawn)


def test_a_file_in_between(tmp_path) -> None:
    adata = make_swept()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    before, after = (panels(a) for a in (adata, read_h5ad(tmp_path / "cells.h5ad")))
    assert words(before[0]) == words(after[0])
    assert bands_of(before[-1]) == bands_of(after[-1])


def test_labels_may_be_gone() -> None:
    adata = make_swept()
    del adata.obs["clr_clusters"]
    assert words(panels(adata)[-1]) == "0 | 1 | 2"


@pytest.mark.parametrize("index", [0, 9, 19])
@pytest.mark.parametrize("alone", [True, False])
def test_nothing_overlaps(index, alone) -> None:
    counts = tuple(np.linspace(1, 40, 20).astype(int))
    place = None if alone else plt.subplots(figsize=(12, 8))[1]
    axes = clr.pl.resolution_sweep(make_swept(3000, counts, index, moving=0.03), ax=place, show=False)
    figure = axes[0].figure.canvas.figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    for i, first in enumerate(boxes):
        for second in boxes[:i]:
            both = first.intersection(first, second)
            assert both is None or min(both.width, both.height) < 2
    for ax in axes:
        names = [t.get_window_extent(renderer) for t in ax.get_xticklabels() if t.get_text()]
        names = [box for box in names if box.x0 >= ax.bbox.x0 - 30]
        assert all(a.x1 <= b.x0 + 1 for a, b in zip(names[:-1], names[1:], strict=True))
    assert len(axes[-1].containers) == 20


def test_into_a_figure_of_the_user() -> None:
    adata = make_swept()
    figure, (left, right) = plt.subplots(1, 2, figsize=(18, 8), layout="constrained")
    axes = clr.pl.resolution_sweep(adata, ax=right, show=False)
    figure.canvas.draw()
    assert all(ax.get_window_extent().x0 > left.get_window_extent().x1 for ax in axes)
    host = plt.figure(layout="constrained")
    assert clr.pl.resolution_sweep(adata, ax=host.subfigures(1, 2)[0], return_fig=True) is host


def test_errors_leave_no_figure() -> None:
    adata = make_swept()
    with pytest.raises(KeyError, match="contrastive_cluster"):
        clr.pl.resolution_sweep(adata, key="foo")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.resolution_sweep(adata, ax="here")
    del adata.uns["clr_clusters"]["sweep"]
    with pytest.raises(ValueError, match="without `resolution` and `n_clusters`"):
        clr.pl.resolution_sweep(adata)
    assert not plt.get_fignums()


def test_words_stand_below_one_another_in_a_part_of_a_figure() -> None:
    adata = make_swept()
    whole = clr.pl.resolution_sweep(adata, show=False)[0]
    _, grid = plt.subplots(2, 2, figsize=(12, 12))
    part = clr.pl.resolution_sweep(adata, ax=grid[1, 0], show=False)[0]
    for verdict, apart in ((whole, False), (part, True)):
        verdict.figure.canvas.draw()
        title, words = (text.get_window_extent() for text in verdict.texts)
        assert (words.y1 <= title.y0 + 2) == apart
        assert apart or words.x0 > title.x1
    plt.close("all")
