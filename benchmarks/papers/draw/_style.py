"""What all figures share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind; every method has the same in all figures.
COLORS = {
    "PCA": "#666666",
    "PCA, 2 components": "#BBBBBB",
    "contrastive-sc": "#009E73",
    "contrastive-sc (code)": "#56B4E9",
    "contrastive-sc (paper)": "#0072B2",
    "clear": "#E69F00",
    "clear (code)": "#CC79A7",
    "clear (paper)": "#9A4F7F",
    "contrastive-sc (code), 300 epochs": "#0B3C5D",
    "scclr": "#D55E00",
    "Harmony": "#000000",
    "Concord": "#7A6A00",
    "scVI": "#8C564B",
}
SERIES = ["#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000"]
"""For what is no method."""
MARKERS = "osD^vPX<>hpd"


def color(name: object) -> str | None:
    """Colour of a method, told of the batches or not; None where any will do."""
    return COLORS.get(str(name).removesuffix(" (told)"))


def panels(n: int, *, height: float = 3.2, share: bool = False) -> tuple[Figure, list[Axes]]:
    """Make a row of panels."""
    width = min(10.0, 1.6 + 2.9 * n) if share else min(10.5, 3.6 * n)
    figure, axes = plt.subplots(
        1, n, figsize=(max(width, 4.6), height), layout="constrained", sharey=share, squeeze=False
    )
    return figure, list(axes.ravel())


def tidy(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Name the axes and take the frame away."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)


def legend(figure: Figure, ax: Axes) -> None:
    """Put the names of the lines below the panels."""
    handles: list[Any]
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 1:
        across = min(2 * len(figure.axes), 4, len(labels))  # no wider than the panels
        figure.legend(handles, labels, loc="outside lower center", ncols=across, frameon=False, fontsize=9)
