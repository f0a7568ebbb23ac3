"""Bars and points are the tables; p-values stand where their category is; nothing is left behind."""

from __future__ import annotations

import io
import itertools

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

TYPES = ["T", "B", "NK"]


def study(n: int = 50, *, paired: bool = False) -> AnnData:
    rng = np.random.default_rng(0)
    rows = []
    for i, group in enumerate(["well", "mild", "severe"]):
        for j in range(5):
            b = 0.1 + 0.25 * i
            donor = f"d{j}" if paired else f"{group[0]}{j}"
            rows += [(kind, group, donor) for kind in rng.choice(TYPES, n, p=[0.9 - b, b, 0.1])]
    obs = pd.DataFrame(rows, columns=["type", "condition", "donor"], index=[f"c{i}" for i in range(len(rows))])
    obs["type"] = pd.Categorical(obs["type"], categories=TYPES)
    obs["condition"] = pd.Categorical(obs["condition"], categories=["well", "mild", "severe"])
    return AnnData(obs=obs)


def drawn(adata, **options) -> list:
    axes = clr.pl.composition(adata, "type", "condition", show=False, **options)
    axes[0].figure.savefig(io.BytesIO(), format="png", dpi=40)
    return axes


def numbers(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, shown = study(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.composition(adata, "type", "condition", unit="donor", return_fig=True), Figure)
    assert [len(drawn(adata, unit=unit)) for unit in (None, "donor")] == [1, 2]
    assert not shown
    assert clr.pl.composition(adata, "type", "condition", show=True) is None
    assert len(shown) == 1
    figure = plt.figure(layout="constrained")
    assert {ax.figure for ax in drawn(adata, unit="donor", ax=figure)} == {figure}


def test_no_trace() -> None:
    adata, settings = study(), dict(mpl.rcParams)
    with unchanged(adata):
        drawn(adata, unit="donor")
    assert dict(mpl.rcParams) == settings


def test_the_title_keeps_clear_of_the_groups() -> None:
    adata = study()
    adata.obs["condition"] = adata.obs["condition"].cat.rename_categories({"well": "a condition that they share"})
    ax = drawn(adata, unit="donor")[0]
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()
    title = ax._left_title.get_window_extent(renderer)
    assert all(text.get_window_extent(renderer).y1 <= title.y0 for text in ax.texts)


def test_points_are_seen_on_a_dark_background() -> None:
    with mpl.style.context("dark_background"):
        shares = drawn(study(), unit="donor")[1]
    assert {to_hex(edge) for points in shares.collections for edge in points.get_edgecolors()} == {"#ffffff"}


def test_bars_are_the_table() -> None:
    adata = study()
    table = clr.get.composition(adata, "type", "condition", unit="donor")
    pooled = clr.get.composition(adata, "type", "condition")
    heights = [bar.get_height() for bar in drawn(adata, unit="donor")[0].patches if bar.get_width() < 5]
    expected = []
    for group in pooled["group"].cat.categories:
        expected += pooled.loc[pooled["group"] == group, "fraction"].tolist()
        expected += table.loc[table["group"] == group, "fraction"].tolist()
    np.testing.assert_allclose(heights[: len(expected)], expected)
    names = [tick.get_text() for tick in drawn(adata, unit="donor")[0].get_xticklabels()]
    assert names[:7] == ["all", "w0", "w1", "w2", "w3", "w4", "all"]
    assert numbers(drawn(adata, unit="donor")[0]) == ["well", "mild", "severe"]


def test_points_are_the_table() -> None:
    adata = study()
    table = clr.get.composition(adata, "type", "condition", unit="donor")
    ax = drawn(adata, unit="donor")[1]
    clouds = [c for c in ax.collections if len(c.get_offsets()) == 15]
    assert len(clouds) == 3
    for i, (kind, cloud) in enumerate(zip(TYPES, clouds, strict=True)):
        own = table[table["category"] == kind]
        place = np.asarray(cloud.get_offsets())
        np.testing.assert_allclose(place[:, 1], own["fraction"])
        assert (np.abs(place[:, 0] - i) < 0.5).all()
        # groups stand beside each other, in their order, and points of a group do not coincide
        by_group = place[:, 0].reshape(3, 5)
        assert (np.diff([by_group.min(axis=1), by_group.max(axis=1)], axis=1) > 0).all()
        assert (by_group[:-1].max(axis=1) < by_group[1:].min(axis=1)).all()
        assert len(set(place[:, 0])) == 15


@pytest.mark.parametrize("reference", [None, "well"])
def test_p_values_are_the_table(reference) -> None:
    adata = study()
    tests = clr.get.composition_test(adata, "type", "condition", unit="donor", reference=reference)
    ax = drawn(adata, unit="donor", reference=reference)[1]
    shown = [text for text in ax.texts if text.get_text()]
    assert len(shown) == len(tests)
    for text, (_, row) in zip(shown, tests.iterrows(), strict=True):
        p = row["p_adjusted"]
        if p >= 0.001:
            assert float(text.get_text()) == pytest.approx(p, abs=0.005 if p >= 0.1 else 0.0005)
        assert (text.get_fontweight() == "bold") == (p < 0.05)
        i = TYPES.index(row["category"])
        x = text.get_position()[0]
        assert abs(x - i) < 0.5
        if reference:
            assert (x > i + 0.15) == row["comparison"].startswith("severe")
    assert tests["test"].iloc[0] in ax.get_title(loc="right")


@pytest.mark.parametrize(
    ("n_types", "reference", "turned"),
    [(3, None, False), (3, "a", False), (30, None, False), (24, "a", True), (45, None, True)],
)
def test_p_values_do_not_run_into_one_another(n_types: int, reference: str | None, turned: bool) -> None:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"t": rng.integers(n_types, size=6000).astype(str), "g": rng.choice(["a", "b", "c"], 6000)})
    obs["d"] = obs["g"] + rng.choice(["1", "2", "3"], 6000)
    adata = AnnData(obs=obs.set_axis(map(str, obs.index)))
    figure = clr.pl.composition(adata, "t", "g", unit="d", reference=reference, return_fig=True)
    figure.canvas.draw()
    ax = figure.axes[1]
    words = [text for text in ax.texts if text.get_text()]
    assert len(words) == n_types * (1 if reference is None else 2)
    boxes = sorted((word.get_window_extent() for word in words), key=lambda box: box.x0)
    assert all(a.x1 < b.x0 or a.y1 < b.y0 or b.y1 < a.y0 for a, b in itertools.pairwise(boxes))
    assert max(box.y1 for box in boxes) <= ax.get_window_extent().y1 + 1, "within the panel"
    assert (words[0].get_rotation() > 0) == turned
    plt.close(figure)


def test_donors_in_all_groups_are_joined() -> None:
    axes = drawn(study(paired=True), unit="donor")
    joined = [line for line in axes[1].lines if len(line.get_xdata()) == 3]
    assert len(joined) == 15
    assert "Friedman" in axes[1].get_title(loc="right")
    assert not [line for line in drawn(study(), unit="donor")[1].lines if len(line.get_xdata()) == 3]


def test_colours() -> None:
    adata = study()
    adata.uns["type_colors"] = ["#111111", "#222222", "#333333"]
    adata.uns["condition_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    axes = drawn(adata, unit="donor")
    assert [to_hex(bar.get_facecolor()) for bar in axes[0].patches[:3]] == ["#111111", "#222222", "#333333"]
    faces = next(c for c in axes[1].collections if len(c.get_offsets()) == 15).get_facecolors()
    assert [to_hex(face) for face in faces[::5]] == adata.uns["condition_colors"]
    del adata.uns["condition_colors"]
    faces = next(c for c in drawn(adata, unit="donor")[1].collections if len(c.get_offsets()) == 15).get_facecolors()
    assert len({to_hex(face) for face in faces}) == 3


def test_odd_shapes_are_drawn() -> None:
    adata = study(8)
    adata.obs["many"] = [f"a rather long name of type {i % 40}" for i in range(adata.n_obs)]
    clr.pl.composition(adata, "many", "condition", unit="donor", return_fig=True).canvas.draw()
    adata.obs["one"] = "all of them"
    axes = clr.pl.composition(adata, "type", "one", unit="donor", show=False)
    assert not numbers(axes[1])  # one group: nothing to test
    axes[0].figure.canvas.draw()


def test_errors_leave_no_figure() -> None:
    adata = study()
    for options in ({"reference": "well"}, {"paired": True}):
        with pytest.raises(ValueError, match="needs `unit`"):
            clr.pl.composition(adata, "type", "condition", **options)
    with pytest.raises(KeyError, match="`reference='foo'`"):
        clr.pl.composition(adata, "type", "condition", unit="donor", reference="foo")
    with pytest.raises(KeyError, match="`groupby='foo'`"):
        clr.pl.composition(adata, "type", "foo")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.composition(adata, "type", "condition", ax="here")
    assert not plt.get_fignums()


@pytest.mark.parametrize("n_groups", [2, 12])
def test_names_above_the_bars_do_not_run_into_one_another(n_groups: int) -> None:
    names = [f"timepoint {i:02d} hours" for i in range(n_groups)]
    rows = [(name, f"{name}{unit}", kind) for name in names for unit in range(3) for kind in "ABB"]
    obs = pd.DataFrame(rows, columns=["g", "d", "t"], index=[str(i) for i in range(len(rows))])
    figure = clr.pl.composition(AnnData(obs=obs), "t", "g", unit="d", return_fig=True)
    figure.canvas.draw()
    words = [text for text in figure.axes[0].texts if text.get_text().startswith("timepoint")]
    assert len(words) == n_groups
    boxes = [text.get_window_extent() for text in words]
    turned = words[0].get_rotation() > 0
    assert turned == (n_groups == 12)
    assert turned or all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    title = figure.axes[0].title if figure.axes[0].get_title() else figure.axes[0]._left_title
    assert title.get_window_extent().y0 >= max(box.y1 for box in boxes) - 2
    plt.close(figure)


def test_a_type_without_a_name_is_called_empty() -> None:
    obs = pd.DataFrame({"t": ["", "B", "B", ""], "g": ["a", "a", "b", "b"]}, index=list("pqrs"))
    figure = clr.pl.composition(AnnData(obs=obs), "t", "g", return_fig=True)
    assert "(empty)" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    plt.close(figure)
