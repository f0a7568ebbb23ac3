"""The curve of the numbers of genes is the table, with the chosen one marked."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext.pl._colors import VERMILLION
from tried import tried


@pytest.mark.parametrize(("numbers", "chosen"), [((500, 1000, 2000), 500), ((500, 1000, 2000), 2000), ((700,), 700)])
def test_the_curve_is_the_table(numbers, chosen) -> None:
    adata = tried(numbers, chosen)
    with unchanged(adata):
        ax = clr.pl.n_top_genes(adata, show=False)
    assert isinstance(ax, Axes)
    table = clr.get.n_top_genes(adata)
    curve = ax.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), table.index)
    np.testing.assert_array_equal(curve.get_ydata(), table["morans_i"])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx((table["morans_i"] + table["spread"]).max())
    assert band[:, 1].min() == pytest.approx((table["morans_i"] - table["spread"]).min())
    red = [line for line in ax.lines if line.get_color() == VERMILLION]
    assert all(set(line.get_xdata()) == {chosen} for line in red)
    assert [text.get_text() for text in ax.texts] == [f"{chosen} chosen"]
    ax.figure.savefig(io.BytesIO(), format="png", dpi=40)


def test_scanpys_habits(monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    adata = tried()
    assert clr.pl.n_top_genes(adata, show=True) is None
    assert shown
    assert isinstance(clr.pl.n_top_genes(adata, return_fig=True), Figure)
    _, ax = plt.subplots()
    assert clr.pl.n_top_genes(adata, ax=ax, show=False) is ax
    with pytest.raises(TypeError, match="`ax`"):
        clr.pl.n_top_genes(adata, ax=3)
