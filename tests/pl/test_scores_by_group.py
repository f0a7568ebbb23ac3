"""Boxes are quartiles of cells, points are means of donors, and the p-value compares the points."""

from __future__ import annotations

import io
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged


def study(n: int = 30, *, paired: bool = False) -> AnnData:
    rng = np.random.default_rng(0)
    groups = [(g, f"d{j}" if paired else f"{g}{j}", i) for i, g in enumerate(["well", "ill"]) for j in range(6)]
    rows = [(g, d, up + rng.normal(), rng.normal()) for g, d, up in groups for _ in range(n)]
    obs = pd.DataFrame(rows, columns=["condition", "donor", "isg", "mhc"], index=[f"c{i}" for i in range(len(rows))])
    obs["condition"] = pd.Categorical(obs["condition"], categories=["well", "ill"])
    x = rng.poisson(1.0, (len(obs), 2)).astype(np.float32)
    return AnnData(x, obs=obs, var=pd.DataFrame(index=["IFI6", "CD14"]))


def drawn(adata, score="isg", **options) -> Axes:
    ax = clr.pl.scores_by_group(adata, score, "condition", show=False, **options)
    (ax if isinstance(ax, Axes) else ax[0]).figure.savefig(io.BytesIO(), format="png", dpi=40)
    return ax


def test_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, shown = study(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.scores_by_group(adata, "isg", "condition", return_fig=True), Figure)
    assert isinstance(drawn(adata), Axes)
    assert [type(ax) for ax in drawn(adata, ["isg"])] == [Axes]
    assert [ax.get_title(loc="left") for ax in drawn(adata, ["isg", "CD14", "mhc"])] == ["isg", "CD14", "mhc"]
    assert not shown
    assert clr.pl.scores_by_group(adata, "isg", "condition", show=True) is None
    assert len(shown) == 1
    _, ax = plt.subplots()
    assert drawn(adata, ax=ax) is ax
    figure = plt.figure(layout="constrained")
    assert {ax.figure for ax in drawn(adata, ["isg", "mhc"], ax=figure)} == {figure}


def test_no_trace() -> None:
    adata, settings = study(), dict(mpl.rcParams)
    with unchanged(adata):
        drawn(adata, ["isg", "CD14"], unit="donor")
    assert dict(mpl.rcParams) == settings


def test_boxes_are_quartiles_of_the_cells() -> None:
    adata = study()
    table = clr.get.scores_by_group(adata, "isg", "condition")
    ax = drawn(adata)
    assert len(ax.patches) == 2
    for box, row in zip(ax.patches, table.itertuples(), strict=True):
        y = box.get_path().vertices[:, 1]
        np.testing.assert_allclose([y.min(), y.max()], [row.q25, row.q75])
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 1.4]
    np.testing.assert_allclose(medians, table["median"])


def test_points_are_means_of_donors() -> None:
    adata = study()
    table = clr.get.scores_by_group(adata, "CD14", "condition", unit="donor")
    (cloud,) = drawn(adata, "CD14", unit="donor").collections
    place = np.asarray(cloud.get_offsets())
    np.testing.assert_allclose(place[:, 1], table["mean"])
    np.testing.assert_array_equal(np.rint(place[:, 0]), table["group"].cat.codes)


def test_p_values_are_the_table() -> None:
    adata = study()
    tests = clr.get.scores_by_group_test(adata, ["isg", "mhc"], "condition", unit="donor")
    axes = drawn(adata, ["isg", "mhc"], unit="donor")
    for ax, row in zip(axes, tests.itertuples(), strict=True):
        *name, p = ax.get_xlabel().split()
        assert name == ["Mann-Whitney", "p"]
        assert float(p) == pytest.approx(row.p_adjusted, abs=0.005 if row.p_adjusted >= 0.1 else 0.0005)
    ax = drawn(adata, unit="donor", reference="well")
    (text,) = ax.texts
    assert text.get_position()[0] == 1
    low, high = ax.get_ylim()
    assert low < text.get_position()[1] < high
    assert text.get_fontweight() == "bold"


def test_donors_in_all_groups_are_joined() -> None:
    ax = drawn(study(paired=True), unit="donor")
    assert ax.get_xlabel().startswith("Wilcoxon")
    joined = [line for line in ax.lines if line.get_linewidth() == 0.6]
    assert len(joined) == 6
    for line in joined:  # one donor keeps its place in each group
        assert np.diff(line.get_xdata()).item() == pytest.approx(1)


def test_colours_of_the_groups() -> None:
    adata = study()
    adata.uns["condition_colors"] = ["#ff0000", "#0000ff"]
    assert [to_hex(box.get_facecolor()) for box in drawn(adata).patches] == adata.uns["condition_colors"]


def test_a_group_without_a_value_a_subset_and_long_names() -> None:
    adata = study()
    adata.obs.loc[adata.obs["condition"] == "ill", "isg"] = np.nan
    assert len(drawn(adata).patches) == 1
    adata = study()
    adata.obs["condition"] = adata.obs["condition"].cat.rename_categories({"ill": "a condition with a very long name"})
    drawn(adata[::3], unit="donor")


def test_errors_leave_no_figure() -> None:
    adata = study()
    with pytest.raises(ValueError, match="needs `unit`"):
        clr.pl.scores_by_group(adata, "isg", "condition", reference="well")
    with pytest.raises(KeyError, match="`score` names 'foo'"):
        clr.pl.scores_by_group(adata, "foo", "condition")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.scores_by_group(adata, "isg", "condition", ax="here")
    assert not plt.get_fignums()


def overlap(ax) -> bool:
    """Whether names below a panel run into one another, as they are drawn."""
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    turned = ax.get_xticklabels()[0].get_rotation() > 0
    return not turned and any(a.x1 > b.x0 for a, b in itertools.pairwise(boxes))


@pytest.mark.parametrize("n_scores", [1, 3, 4])
@pytest.mark.parametrize(
    "names", [["B", "CD14+ Mono", "NK", "Megakaryocytes"], ["untreated", "IFN-gamma 24h"], ["a", "b", "c"]]
)
def test_names_of_groups_do_not_run_into_one_another(names, n_scores) -> None:
    n = 20 * len(names)
    obs = pd.DataFrame({f"s{i}": np.linspace(0, 1, n) for i in range(n_scores)} | {"g": names * 20})
    axes = clr.pl.scores_by_group(AnnData(obs=obs.set_axis(map(str, obs.index))), list(obs)[:-1], "g", show=False)
    assert not any(overlap(ax) for ax in axes)
    if len(names) == 3:
        assert axes[0].get_xticklabels()[0].get_rotation() == 0
    plt.close("all")
