"""Words on a map: where the cells are, and never in front of all of them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from scclr_ext.pl._maps import Map, draw
from scclr_ext.pl._umap import Coordinates


def test_a_name_does_not_hide_the_few_cells_it_belongs_to() -> None:
    rng = np.random.default_rng(0)
    codes = np.where(np.arange(600) < 5, 2, rng.integers(0, 2, 600))
    xy = 3 * rng.normal(size=(600, 2)) * (codes < 2)[:, None] + np.array([[0, 0], [30, 0], [15, 20]])[codes]
    names = pd.Categorical.from_codes(codes, ["0", "1", "2"])
    shown = Map("", categories=names, colors=dict(zip("012", ["red", "green", "blue"], strict=True)), on_data=True)
    figure, ax = plt.subplots()
    draw(ax, shown, Coordinates(name="UMAP", axis="UMAP", cells=np.arange(600), xy=xy))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    middles = ax.transData.transform([np.median(xy[codes == code], axis=0) for code in range(3)])
    assert [box.contains(*middle) for box, middle in zip(boxes, middles, strict=True)] == [True, True, False]
    assert abs(boxes[2].x0 + boxes[2].x1 - 2 * middles[2][0]) < 2
    plt.close(figure)
