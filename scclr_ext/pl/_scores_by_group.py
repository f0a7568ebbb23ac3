from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from scclr_ext._docs import shared_docs
from scclr_ext.get import scores_by_group as score_table
from scclr_ext.get import scores_by_group_test
from scclr_ext.get._groups import read_labels, read_scores
from scclr_ext.pl._groups import boxes, group_colors, p_text, write_tests
from scclr_ext.pl._layout import WIDTH, finish, host_for
from scclr_ext.pl._style import TICK, dress, shorten_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.figure import Figure, FigureBase

_HEIGHT, _PER_ROW = 3.2, 4
_OUTER, _PER_GROUP = 1.1, 0.75
"""Inches: what a panel needs beside its boxes, and for each box."""


@shared_docs
def scores_by_group(
    adata: AnnData,
    score: str | Sequence[str],
    groupby: str,
    *,
    unit: str | None = None,
    layer: str | None = None,
    reference: str | None = None,
    paired: bool | None = None,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> Axes | list[Axes] | Figure | None:
    """Show how high a score is in each condition, with a point for each donor.

    A box holds the middle half of the cells of a group, with their median; its whiskers reach the last cell within 1.5
    times its height. A point is the mean over the cells of one unit, and the p-value, from a rank test, compares these
    means, corrected for the number of tests (Benjamini-Hochberg). Points of a unit that is in several groups are
    joined. Nothing is written to `adata`: :func:`scclr_ext.get.scores_by_group` returns the numbers and
    :func:`scclr_ext.get.scores_by_group_test` the tests.

    For a score in one cell type, pass those cells: `adata[adata.obs["cell_type"] == "CD14 Mono"]`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    score
        One or several: numeric columns of `obs` (as `sc.tl.score_genes` writes them) or genes. One panel each.
    groupby
        Column of `obs` with the groups: conditions, ...
    unit
        Column of `obs` with what was sampled independently: donors, animals, ... Without it there is nothing to test:
        cells of one donor are no independent observations.
    layer
        Take the values of genes from this layer instead of `X`. Counts whose normalising was left to their readers
        (`defer` in :func:`scclr_ext.pp.contrastive_preprocess`) are log-normalised as the model reads them.
    reference
        A group: every other one is tested against it, and its p-value stands above it. None tests all groups at once.
    {paired}
    {show}
    ax
        Where to draw: an Axes for a single score; for several an Axes made by `plt.subplots`, which is emptied and its
        place divided, or a Figure or SubFigure. `None` makes a figure.
    {return_fig}

    Returns
    -------
    `None` if the figure is shown; with `show=False` the Axes, or a list of them if `score` is one; the Figure with
    `return_fig=True`.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, a score is not numeric, or `ax` is nothing to draw into.
    KeyError
        If a column, gene or layer is missing, or `reference` is no group.
    ValueError
        If no cell has all labels, no score is named, or `reference` or `paired` is given without `unit`.

    Warns
    -----
    {units_warned}

    Notes
    -----
    Colours are those of `uns["<groupby>_colors"]` where they exist. A single group is drawn without a test.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = {"isg": [5.0, 6.0, 7.0, 1.0, 2.0, 3.0], "condition": ["ill"] * 3 + ["well"] * 3, "donor": list("pqrstu")}
    >>> adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(6)]))
    >>> ax = clr.pl.scores_by_group(adata, "isg", "condition", unit="donor", show=False)
    >>> ax.get_xlabel()
    'Mann-Whitney p 0.10'
    >>> plt.close(ax.figure)
    """
    if unit is None and (reference is not None or paired is not None):
        msg = "`reference` and `paired` belong to a test, which needs `unit`: the column of adata.obs with the donors."
        raise ValueError(msg)
    reference = None if reference is None else str(reference)
    labels = read_labels(adata, groupby=groupby, unit=unit)
    groups = labels["groupby"].cat.categories
    scores = read_scores(adata, score, layer=layer)
    per_unit = tests = None
    if unit is not None:
        per_unit = score_table(adata, score, groupby, unit=unit, layer=layer)
        if reference is not None or len(groups) > 1:
            tests = scores_by_group_test(
                adata, score, groupby, unit=unit, layer=layer, reference=reference, paired=paired
            )
    colors = group_colors(adata, groupby, groups)

    axes = _axes(ax, len(scores), len(groups), alone=isinstance(score, str))
    for panel, title, (name, values) in zip(axes, shorten_together(scores), scores.items(), strict=True):
        dress(panel, title, ylabel="score" if name in adata.obs else "expression")
        means = None if per_unit is None else per_unit[per_unit["score"] == name]
        boxes(panel, values[labels.index], labels["groupby"], means, colors)
        if tests is not None:
            _write_tests(panel, tests[tests["score"] == name], list(groups), reference)
    drawn = finish(axes, show=show, return_fig=return_fig)
    return drawn[0] if isinstance(drawn, list) and isinstance(score, str) else drawn


def _axes(ax: Axes | FigureBase | None, n: int, n_groups: int, *, alone: bool) -> list[Axes]:
    if alone and isinstance(ax, Axes):
        return [ax]
    n_columns = min(n, _PER_ROW)
    n_rows = -(-n // n_columns)
    size = (min(WIDTH, n_columns * (_OUTER + _PER_GROUP * n_groups)), _HEIGHT * n_rows)
    host = plt.figure(figsize=size, layout="constrained") if ax is None else host_for(ax, size[1])
    grid = host.subplots(n_rows, n_columns, squeeze=False).ravel().tolist()
    for unused in grid[n:]:
        unused.set_axis_off()
    return grid[:n]


def _write_tests(ax: Axes, tests: pd.DataFrame, groups: list[str], reference: str | None) -> None:
    text = f"{tests['test'].iloc[0]} p {p_text(tests['p_adjusted'].iloc[0])}"
    if reference is not None:
        text = f"{tests['test'].iloc[0]}, adjusted p"
        at = [i for i, group in enumerate(groups) if group != reference]
        write_tests(ax, tests, at, [ax.get_ylim()[1]] * len(at))
    ax.set_xlabel(text, fontsize=TICK)
