"""Table and figure of the dropout benchmark, from results.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from benchmarks._markdown import markdown
from benchmarks.papers.draw._style import COLORS
from benchmarks.quality.tables import FOLDER

if TYPE_CHECKING:
    import pandas as pd

FIGURE = FOLDER.parent / "_static" / "dropout.png"
_MARKERS = {"PCA": "s", "clear": "o", "scclr": "D"}


def write(results: pd.DataFrame) -> None:
    """Write the table as Markdown, and the figure."""
    by_seed, by_set = summary(results)
    table = by_seed.groupby(level="rate").mean()
    table.index = [f"{rate:.0%}" for rate in table.index]
    lost = table - table.iloc[0]
    lost.columns = [f"{method}, change" for method in lost.columns]
    (FOLDER / "dropout.md").write_text(markdown(table.join(lost), corner="dropped") + "\n")
    draw(by_seed, by_set)


def summary(results: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ARI, a column per method: means over sets by rate and seed, and means over seeds by set and rate.

    Sets and seeds on which something is missing are left out.
    """
    wide = results.pivot_table(index=["set", "seed", "rate"], columns="method", values="kmeans_ari")
    complete = wide.dropna().groupby(level=["set", "seed"]).transform("size") == results["rate"].nunique()
    wide = wide.dropna()[complete]
    return wide.groupby(level=["rate", "seed"]).mean(), wide.groupby(level=["set", "rate"]).mean()


def draw(by_seed: pd.DataFrame, by_set: pd.DataFrame) -> None:
    """Draw the mean with its range over seeds on the left and, where there are several, every set on the right."""
    names = by_set.index.unique("set")
    n_columns = -(-len(names) // 2) if len(names) > 1 else 0
    figure = plt.figure(figsize=(4.2 + 1.9 * n_columns, 4.2), layout="constrained")
    left, *right = figure.subfigures(1, 2, width_ratios=[4.2, 1.9 * n_columns]) if n_columns else [figure]
    ax = left.subplots()
    for method in by_seed:
        curve = by_seed[method].unstack("seed")
        style = {"color": COLORS.get(method), "marker": _MARKERS.get(method, "o")}
        ax.plot(100 * curve.index, curve.mean(axis=1), label=method, **style)
        ax.fill_between(100 * curve.index, curve.min(axis=1), curve.max(axis=1), color=style["color"], alpha=0.15, lw=0)
    ax.set_title(f"Mean of {len(names)} sets" if n_columns else names[0], loc="left", fontsize=10, fontweight="bold")
    ax.set_xlabel("non-zero counts set to zero (%)")
    ax.set_ylabel("ARI, k-means with the true number")
    ax.legend(frameon=False)
    panels = right[0].subplots(2, n_columns, sharex=True, sharey=True, squeeze=False).ravel() if n_columns else []
    for panel, name in zip(panels, names, strict=False):
        for method in by_set:
            curve = by_set.loc[name, method]
            panel.plot(100 * curve.index, curve, color=COLORS.get(method), lw=1.2, marker=_MARKERS.get(method), ms=3)
        panel.set_title(name, fontsize=8, loc="left")
        panel.tick_params(labelsize=8)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
        panels[n_columns - 1].tick_params(labelbottom=True)  # nothing stands below it
    for panel in (ax, *panels):
        panel.spines[["top", "right"]].set_visible(False)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=150)
    plt.close(figure)
