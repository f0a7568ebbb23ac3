"""One small drawing function per panel: tables in, marks on an Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from scclr_ext.get._embedding_qc import COLLAPSED_BELOW
from scclr_ext.pl._colors import BLUE, GREY, VERMILLION
from scclr_ext.pl._style import LEGEND, SMALL, TICK, dress, ink, name_places, note, shorten, shorten_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from scclr_ext.get import EmbeddingQC

_FLOOR = 1e-4
"""Smallest relative singular value drawn: an axis down to rounding errors would flatten what matters."""
_NO_CLUSTERS = "no clusters here yet:\nrun tl.contrastive_cluster"


def loss(ax: Axes, tables: EmbeddingQC) -> None:
    """Draw the loss, and the level at which nothing is told apart."""
    dress(ax, "Training loss", xlabel="training step", ylabel="loss (nats)")
    if not _curve(ax, tables, "loss"):
        note(ax, "no loss was recorded")
        return
    chance = float(tables.summary["chance_loss"].iloc[0])
    if np.isfinite(chance):
        ax.axhline(chance, color=GREY, linestyle="--", linewidth=1)
        ax.margins(y=0.12)
        ax.annotate(
            f"chance {chance:.2f}",
            (1, chance),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=TICK,
            color=GREY,
        )


def training_curve(ax: Axes, tables: EmbeddingQC, column: str) -> None:
    """Draw alignment or uniformity."""
    dress(ax, column.capitalize(), xlabel="training step" if column == "uniformity" else "")
    if not _curve(ax, tables, column):
        note(ax, f"no {column} was recorded")
    elif column == "alignment" and "uniformity" in tables.history:
        # The panel below has the same steps and gives their numbers.
        ax.tick_params(labelbottom=False)


def spectrum(ax: Axes, tables: EmbeddingQC) -> None:
    """Draw the singular values, the effective rank and what collapsed."""
    dress(ax, "Spectrum of the embedding", xlabel="direction", ylabel="relative singular value")
    table, summary = tables.spectrum, tables.summary.iloc[0]
    if not table["relative"].any():
        note(ax, "every cell has the same embedding:\nthe representation has collapsed")
        return
    collapsed = table["collapsed"].to_numpy()
    values = table["relative"].clip(lower=_FLOOR)
    ax.set_yscale("log")
    ax.plot(table.index[~collapsed], values[~collapsed], "o", markersize=3, color=BLUE)
    ax.plot(table.index[collapsed], values[collapsed], "v", markersize=3.5, color=VERMILLION)
    ax.axvline(summary["effective_rank"], color=GREY, linestyle=":", linewidth=1, ymax=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    if collapsed.any():
        ax.axhline(COLLAPSED_BELOW, color=VERMILLION, linestyle="--", linewidth=0.8)
    ax.set_ylim(min(float(values.min()), 0.02) * 0.6, 6)
    ax.text(
        0.98,
        0.98,
        f"effective rank {summary['effective_rank']:.1f} of {len(table)}\n{collapsed.sum()} "
        f"direction{'' if collapsed.sum() == 1 else 's'} collapsed (below {100 * COLLAPSED_BELOW:g} %)",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=TICK,
    )


def sizes(
    ax: Axes,
    tables: EmbeddingQC,
    cluster_colors: Mapping[str, str],
    batch_colors: Mapping[str, str],
    *,
    batch_key: str,
    legend: bool,
) -> None:
    """Draw the number of cells of each cluster, divided by batch where there is one."""
    title = f"Cluster sizes by {shorten(batch_key)}" if batch_colors else "Cluster sizes"
    dress(ax, title, xlabel="cluster", ylabel="cells")
    table = tables.clusters
    if not len(table):
        note(ax, _NO_CLUSTERS)
        return
    x = np.arange(len(table))
    if batch_colors:
        bottom = np.zeros(len(table))
        shown = shorten_together(batch_colors)
        for name, (batch, color) in zip(shown, batch_colors.items(), strict=True):
            counts = tables.batches[batch].to_numpy()
            ax.bar(x, counts, 0.8, bottom=bottom, color=color, label=name)
            bottom += counts
    else:
        ax.bar(x, table["n_cells"], 0.8, color=[cluster_colors[name] for name in table.index])
    many = len(table) > 12
    if len(table) <= 45:
        for position, count in zip(x, table["n_cells"], strict=True):
            ax.annotate(
                str(count),
                (position, count),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=SMALL,
                rotation=90 if many else 0,
            )
    ax.set_ylim(0, table["n_cells"].max() * (1.3 if many else 1.15))
    name_places(ax, tables.clusters.index)
    if batch_colors and legend:
        columns = -(-len(batch_colors) // 8)
        ax.legend(fontsize=SMALL, ncols=columns, loc="center left", bbox_to_anchor=(1.0, 0.5), **LEGEND)


def silhouettes(ax: Axes, tables: EmbeddingQC, cluster_colors: Mapping[str, str]) -> None:
    """Draw the mean silhouette of each cluster over the middle half of its cells."""
    dress(ax, "Silhouette per cluster", xlabel="cluster", ylabel="silhouette width")
    table = tables.clusters
    if not len(table):
        note(ax, _NO_CLUSTERS)
        return
    if table["silhouette"].isna().all():
        note(ax, "a silhouette needs at least two clusters,\nand fewer than there are cells")
        return
    x, colors = np.arange(len(table)), [cluster_colors[name] for name in table.index]
    height = table["silhouette_q75"] - table["silhouette_q25"]
    ax.bar(x, height, 0.6, bottom=table["silhouette_q25"], color=colors, alpha=0.45)
    ax.scatter(x, table["silhouette"], s=18, c=colors, edgecolors=ink(), linewidths=0.5, zorder=3)
    overall = float(tables.summary["silhouette"].iloc[0])
    ax.axhline(0, color=ink(), linewidth=0.6)
    ax.axhline(overall, color=GREY, linestyle="--", linewidth=1, zorder=0)
    ax.set_title(f"mean {overall:.2f}", loc="right", fontsize=TICK, color=GREY)
    ax.margins(y=0.12)
    name_places(ax, tables.clusters.index)


def _curve(ax: Axes, tables: EmbeddingQC, column: str) -> bool:
    """Draw one column of the history over the steps, if there is anything in it."""
    history = tables.history
    if column not in history or not history[column].notna().any():
        return False
    steps = history["step"] if "step" in history else history.index + 1
    few = history[column].notna().sum() <= 25
    ax.plot(steps, history[column], color=BLUE, linewidth=1.4, marker="o" if few else "", markersize=3)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5 if column == "loss" else 3))
    return True
