"""The panels of `pl.stability`: a table in, marks on an Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scclr_ext.pl._colors import BLUE, GREY
from scclr_ext.pl._style import SMALL, TICK, dress, ink, name_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

    from scclr_ext.get import Stability

_MOST_NUMBERS = 10
_NAMES = {
    "n_clusters": "number of clusters",
    "silhouette": "silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "ari": "ARI with labels",
    "nmi": "NMI with labels",
    "mean_ari": "ARI between runs",
    "neighbor_overlap": "shared neighbours",
}


def pairs(ax: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw a matrix of runs by runs, dark where they agree, with its numbers where there is room."""
    values = table.to_numpy()
    n = len(values)
    between = values[np.triu_indices(n, 1)]
    shown = np.where(np.eye(n, dtype=bool), np.nan, values)  # a run agrees with itself: nothing to see
    ax.imshow(shown, cmap="viridis", vmin=0, vmax=1, aspect="equal")
    dress(ax, title, xlabel=f"seed (mean of all pairs {between.mean():.2f})", ylabel="seed")
    if n <= _MOST_NUMBERS:
        for i in range(n):
            for j in range(n):
                if i != j:
                    color = "white" if values[i, j] < 0.7 else "black"
                    ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=SMALL, color=color)
    every = -(-n // _MOST_NUMBERS)
    ticks, seeds = range(0, n, every), [str(seed) for seed in table.index[::every]]
    long = max(map(len, seeds)) > 3
    ax.set_xticks(ticks, seeds, fontsize=TICK, rotation=90 if long else 0)
    ax.set_yticks(ticks, seeds, fontsize=TICK)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def variation(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the coefficient of variation of each score as a bar."""
    dress(ax, "Variation of scores", xlabel="coefficient of variation over runs")
    known = table.loc[[name for name in _NAMES if name in table.index]].dropna(subset="cv")
    y = np.arange(len(known))[::-1]
    ax.barh(y, known["cv"], 0.7, color=BLUE)
    for place, (_, row) in zip(y, known.iterrows(), strict=True):
        ax.annotate(
            f"{row['cv']:.2f}",
            (row["cv"], place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
        )
    ax.set_yticks(y, [f"{_NAMES[name]}\n(mean {_short(known.loc[name, 'mean'])})" for name in known.index])
    ax.tick_params(axis="y", labelsize=SMALL, length=0)
    ax.set_xlim(0, max(0.1, 1.2 * float(known["cv"].max()) if len(known) else 0.1))


def clusters(
    ax: Axes,
    tables: Stability,
    labels: pd.Categorical,
    confidence: np.ndarray,
    colors: Mapping[str, str],
) -> None:
    """Draw the mean confidence of each cluster over the middle half of its cells."""
    overall = float(tables.summary["confidence"].iloc[0])
    unsure = float(tables.summary["unsure"].iloc[0])
    dress(ax, "Confidence per consensus cluster", xlabel="cluster", ylabel="confidence")
    ax.set_title(f"mean {overall:.2f}, below 0.5: {unsure:.0%} of cells", loc="right", fontsize=TICK, color=GREY)
    names = list(tables.clusters.index)
    x, shades = np.arange(len(names)), [colors[name] for name in names]
    quartiles = np.full((len(names), 2), np.nan)
    for code in range(len(names)):
        of_cluster = confidence[labels.codes == code]
        if len(of_cluster):
            quartiles[code] = np.nanquantile(of_cluster, [0.25, 0.75])
    # A cluster whose cells all agree still shows as a line.
    height = np.maximum(quartiles[:, 1] - quartiles[:, 0], 0.01)
    ax.bar(x, height, 0.6, bottom=quartiles[:, 0], color=shades, alpha=0.45)
    ax.scatter(x, tables.clusters["confidence"], s=18, c=shades, edgecolors=ink(), linewidths=0.5, zorder=3)
    ax.axhline(overall, color=GREY, linestyle="--", linewidth=1, zorder=0)
    ax.set_ylim(0, 1.05)
    name_places(ax, names)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"
