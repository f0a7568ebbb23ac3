from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext._docs import shared_docs
from scclr_ext.get._composition import composition
from scclr_ext.get._group_test import compare_groups, decide_pairing, tabulate

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@shared_docs
def composition_test(
    adata: AnnData,
    labels: str,
    groupby: str,
    *,
    unit: str,
    reference: str | None = None,
    paired: bool | None = None,
) -> pd.DataFrame:
    """Test for each cell type whether its share differs between conditions, with donors as the units.

    Cells of one donor are no independent observations: a test over cells finds a difference wherever donors differ.
    Each donor therefore counts once, with the share that a cell type has among its cells. Nothing is written to
    `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    labels
        Column of `obs` with the categories that are counted: cell types, clusters, ...
    groupby
        Column of `obs` with the groups: conditions, ...
    {unit}
    {reference}
    {paired}

    Returns
    -------
    One row per category and comparison:

    `category`, `comparison`
        Cell type, and the groups compared.
    `test`
        Mann-Whitney for two groups, Kruskal-Wallis for more; Wilcoxon's signed ranks and Friedman where paired.
    `n_units`
        Donors in the test.
    `difference`
        With two groups: median share in the first less that in the second (paired: median of the differences).
    `statistic`, `p_value`
        NaN where a group has fewer than two units.
    `p_adjusted`
        Corrected over all rows (Benjamini-Hochberg).

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If a column is missing, or `reference` is no group.
    ValueError
        If no cell has all labels, there is one group only, or `paired` where no unit is in two.

    Warns
    -----
    {units_warned}

    Notes
    -----
    {few_units}
    Shares sum to 1: where one type expands, others shrink.

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = {"type": list("BTTTBBTT"), "condition": ["ill"] * 4 + ["well"] * 4, "donor": list("ppqqrrss")}
    >>> adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(8)]))
    >>> table = clr.get.composition_test(adata, "type", "condition", unit="donor")
    >>> table[["category", "comparison", "test", "n_units", "difference", "p_value"]]
      category   comparison          test  n_units  difference  p_value
    0        B  ill vs well  Mann-Whitney        4       -0.25      1.0
    1        T  ill vs well  Mann-Whitney        4        0.25      1.0
    """
    shares = composition(adata, labels, groupby, unit=unit)
    wide = shares.pivot_table(index=["category", "unit"], columns="group", values="fraction", observed=True)
    per_category = [(category, wide.loc[category]) for category in shares["category"].cat.categories]
    (in_pairs,) = decide_pairing([per_category[0][1]], paired=paired)  # a unit has a share of every category
    return tabulate(
        ({"category": category}, found)
        for category, values in per_category
        for found in compare_groups(values, reference=reference, paired=in_pairs)
    )
