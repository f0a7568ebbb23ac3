from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext._docs import shared_docs
from scclr_ext.get import composition as share_table
from scclr_ext.get import composition_test
from scclr_ext.pl import _composition_panels
from scclr_ext.pl._colors import category_colors
from scclr_ext.pl._groups import group_colors
from scclr_ext.pl._layout import finish, host_for

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

_BARS, _SHARES = 3.3, 3.0


@shared_docs
def composition(
    adata: AnnData,
    labels: str,
    groupby: str,
    *,
    unit: str | None = None,
    reference: str | None = None,
    paired: bool | None = None,
    show: bool | None = None,
    ax: Axes | FigureBase | None = None,
    return_fig: bool | None = None,
) -> list[Axes] | Figure | None:
    """Show which share each cell type has in each condition and in each donor.

    The panels are

    - *Composition*: a stacked bar for all cells of each group and, beside it, a narrower one for each of its units.
    - *Share per unit* (with `unit`): for each category and group a point per unit and a line at their median, with the
      p-value of a rank test of the units, corrected for the number of tests (Benjamini-Hochberg). Points of a unit
      that is in several groups are joined.

    Nothing is written to `adata`: :func:`scclr_ext.get.composition` returns the shares and
    :func:`scclr_ext.get.composition_test` the tests.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    labels
        Column of `obs` with the categories that are counted: cell types, clusters, ...
    groupby
        Column of `obs` with the groups: conditions, ...
    unit
        Column of `obs` with what was sampled independently: donors, animals, ... Without it there is nothing to test:
        cells of one donor are no independent observations.
    reference
        A group: every other one is tested against it, and its p-value stands above it. None tests all groups at once.
    {paired}
    {panels}

    Returns
    -------
    {panels_returned}

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `ax` is nothing to draw into.
    KeyError
        If a column is missing, or `reference` is no group.
    ValueError
        If no cell has all labels, `reference` or `paired` is given without `unit`, or `ax` is an Axes outside of any
        grid.

    Warns
    -----
    {units_warned}

    Notes
    -----
    Colours are those of `uns["<column>_colors"]` where they exist, otherwise for categories those that scanpy gives by
    default and for groups a ramp, since conditions often have an order. A single group is drawn without a test.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = {"type": list("BTTTBBTT"), "condition": ["ill"] * 4 + ["well"] * 4, "donor": list("ppqqrrss")}
    >>> adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(8)]))
    >>> fig = clr.pl.composition(adata, "type", "condition", unit="donor", return_fig=True)
    >>> [ax.get_title(loc="left") for ax in fig.axes]
    ['Composition', 'Share per donor']
    >>> plt.close(fig)
    """
    if unit is None and (reference is not None or paired is not None):
        msg = "`reference` and `paired` belong to a test, which needs `unit`: the column of adata.obs with the donors."
        raise ValueError(msg)
    reference = None if reference is None else str(reference)
    per_unit = None if unit is None else share_table(adata, labels, groupby, unit=unit)
    pooled = share_table(adata, labels, groupby) if per_unit is None else _pool(per_unit)
    tests = None
    if unit is not None and (reference is not None or pooled["group"].nunique() > 1):
        tests = composition_test(adata, labels, groupby, unit=unit, reference=reference, paired=paired)
    type_colors = category_colors(adata, labels, pooled["category"].cat.categories)
    colors = group_colors(adata, groupby, pooled["group"].cat.categories)

    heights = [_BARS] if per_unit is None else [_BARS, _SHARES]
    host = host_for(ax, sum(heights))
    axes = [row[0] for row in host.subplots(len(heights), 1, squeeze=False, height_ratios=heights)]
    _composition_panels.bars(axes[0], pooled, per_unit, type_colors, labels=labels)
    if per_unit is not None:
        _composition_panels.shares(axes[1], per_unit, tests, colors, names=(groupby, str(unit)), reference=reference)
    return finish(axes, show=show, return_fig=return_fig)


def _pool(per_unit: pd.DataFrame) -> pd.DataFrame:
    """Add up the units of each group: cells of unknown unit are in neither panel."""
    table = per_unit.groupby(["group", "category"], observed=True)[["n_cells", "n_total"]].sum().reset_index()
    return table.assign(fraction=table["n_cells"] / table["n_total"])
