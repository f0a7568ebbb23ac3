"""From a sweep over resolutions to the columns of a river: candidates that say the same are drawn as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scclr_ext.pl._colors import GREY
from scclr_ext.pl._river import River

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scclr_ext.get._sweep_record import Sweep


THINNEST = 0.005
"""A smaller share of the cells makes no column of its own, and no band: 40 clusters would drown in hairlines."""


class SweepColumns(NamedTuple):
    """The river of a sweep, and what its columns stand for."""

    river: River
    spans: list[tuple[int, int]]
    """First and last candidate of each column."""
    shown: list[int]
    """The candidate whose clusters are drawn: the chosen one where it is among them, otherwise the first."""
    chosen: int
    """The chosen column, or -1."""


def sweep_columns(sweep: Sweep) -> SweepColumns:
    """Gather successive candidates between which next to no cell moves, and count what moves between the columns."""
    table, flow = sweep.table, sweep.flow
    counts = table["n_clusters"].to_numpy(dtype=np.int64)
    steps = [flow[flow["step"] == i] for i in range(len(table) - 1)]
    n_cells = max((int(step["n_cells"].sum()) for step in steps), default=0)
    matches = [_match(step, *counts[i : i + 2]) for i, step in enumerate(steps)]

    spans, moved = [[0, 0]], 0
    for i, match in enumerate(matches):
        moved += n_cells + 1 if match is None else match.moved
        if moved <= THINNEST * n_cells:
            spans[-1][1] = i + 1
        else:
            spans.append([i + 1, i + 1])
            moved = 0
    index = sweep.choice.index
    chosen = next((c for c, (first, last) in enumerate(spans) if first <= index <= last), -1)
    shown = [index if c == chosen else first for c, (first, _) in enumerate(spans)]

    sizes = []
    for candidate in shown:
        of, end = (candidate, "source") if candidate < len(steps) else (candidate - 1, "target")
        # A single candidate has no steps to be counted from.
        step = steps[of] if steps else pd.DataFrame({end: [], "n_cells": []})
        sizes.append(np.bincount(step[end].astype(int), step["n_cells"], minlength=counts[candidate]).astype(np.int64))
    bands = []
    for c in range(len(spans) - 1):
        step = steps[spans[c][1]]
        source, target = np.arange(counts[spans[c][1]]), np.arange(counts[spans[c + 1][0]])
        # From the numbers that the step knows to those of the candidates that are drawn; within a column all match.
        for match in reversed(matches[shown[c] : spans[c][1]]):
            source = source if match is None else match.back[source]
        for match in matches[spans[c + 1][0] : shown[c + 1]]:
            target = target if match is None else match.forth[target]
        bands.append(
            pd.DataFrame(
                {
                    "source": source[step["source"]],
                    "target": target[step["target"]],
                    "n_cells": step["n_cells"].to_numpy(),
                }
            )
        )
    return SweepColumns(River(sizes, bands), [(first, last) for first, last in spans], shown, chosen)


def column_colors(columns: SweepColumns, of_chosen: Mapping[str, str]) -> list[list[str]]:
    """Colour every bar as the chosen cluster that most of its cells are in, or come from; grey without a choice."""
    sizes, bands = columns.river
    colors = [[GREY] * len(of_column) for of_column in sizes]
    if columns.chosen < 0:
        return colors
    colors[columns.chosen] = list(of_chosen.values())
    for i in range(columns.chosen + 1, len(sizes)):
        main = _main(bands[i - 1], "target", "source", len(sizes[i]))
        colors[i] = [colors[i - 1][bar] for bar in main]
    for i in range(columns.chosen - 1, -1, -1):
        main = _main(bands[i], "source", "target", len(sizes[i]))
        colors[i] = [colors[i + 1][bar] for bar in main]
    return colors


class _Match(NamedTuple):
    forth: NDArray[np.int64]
    back: NDArray[np.int64]
    moved: int
    """Cells that the renaming of clusters does not explain."""


def _match(step: pd.DataFrame, n_before: int, n_after: int) -> _Match | None:
    """Pair the clusters of two candidates one to one; None where that is not possible."""
    forth = _main(step, "source", "target", n_before)
    if n_before != n_after or len(np.unique(forth)) < n_before:
        return None
    stay = forth[step["source"]] == step["target"].to_numpy()
    return _Match(forth, np.argsort(forth), int(step["n_cells"][~stay].sum()))


def _main(step: pd.DataFrame, here: str, there: str, n: int) -> NDArray[np.int64]:
    """Name for each bar on one side the one on the other with which it shares most cells."""
    main = np.zeros(n, dtype=np.int64)
    rising = step.sort_values("n_cells", kind="stable")
    main[rising[here]] = rising[there]  # the last one, the largest, stays
    return main
