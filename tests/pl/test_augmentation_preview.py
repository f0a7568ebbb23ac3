"""The rows of each picture are the table's, and what stands beside them is computed from it."""

from __future__ import annotations

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged


def test_what_comes_back(counts, monkeypatch: pytest.MonkeyPatch) -> None:
    clr.pp.contrastive_preprocess(counts)
    shown: list[int] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(clr.pl.augmentation_preview(counts, return_fig=True), Figure)
    assert len(clr.pl.augmentation_preview(counts, cells=3, show=False)) == 3
    assert not shown
    assert clr.pl.augmentation_preview(counts, show=True) is None
    assert len(shown) == 1


@pytest.mark.parametrize("method", ["clear", "scclr"])
def test_pictures_are_the_table(counts, method) -> None:
    clr.pp.contrastive_preprocess(counts)
    settings = dict(mpl.rcParams)
    with unchanged(counts):
        axes = clr.pl.augmentation_preview(counts, method, cells=["cell5", "cell9"], n_genes=25, show=False)
    axes[0].figure.savefig(io.BytesIO(), format="png", dpi=40)
    assert dict(mpl.rcParams) == settings
    table = clr.get.augmentation_preview(counts, method, cells=["cell5", "cell9"])
    for ax, name in zip(axes, ["cell5", "cell9"], strict=True):
        own = table[table["cell"] == name]
        steps = own["step"].unique().tolist()
        before = own.loc[own["step"] == steps[0], "before"].to_numpy()
        genes = np.argsort(-before, kind="stable")[:25]
        picture = np.asarray(ax.images[0].get_array())
        np.testing.assert_allclose(picture[0], before[genes])
        for i, step in enumerate(steps):
            after = own.loc[own["step"] == step, "after"].to_numpy()
            np.testing.assert_allclose(picture[i + 1], after[genes])
            changed, r = ax.texts[i + 1].get_text().split(", ")
            assert float(changed.strip(" %")) == pytest.approx(100 * (np.abs(after - before) > 1e-6).mean(), abs=0.6)
            assert float(r) == pytest.approx(np.corrcoef(before, after)[0, 1], abs=0.006)
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["the cell", *steps]


def test_errors_leave_no_figure(counts) -> None:
    clr.pp.contrastive_preprocess(counts)
    with pytest.raises(ValueError, match="`n_genes` must be a whole number of at least 1; found 0"):
        clr.pl.augmentation_preview(counts, n_genes=0)
    with pytest.raises(KeyError, match="`cells` names 'foo'"):
        clr.pl.augmentation_preview(counts, cells="foo")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.augmentation_preview(counts, ax="here")
    assert not plt.get_fignums()
