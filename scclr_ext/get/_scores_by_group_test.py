from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext._docs import shared_docs
from scclr_ext.get._group_test import compare_groups, decide_pairing, tabulate
from scclr_ext.get._scores_by_group import scores_by_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData


@shared_docs
def scores_by_group_test(
    adata: AnnData,
    score: str | Sequence[str],
    groupby: str,
    *,
    unit: str,
    layer: str | None = None,
    reference: str | None = None,
    paired: bool | None = None,
) -> pd.DataFrame:
    """Test whether a score differs between conditions, with donors as the units.

    Cells of one donor are no independent observations: a test over cells finds a difference wherever donors differ.
    Each donor therefore counts once, with the mean over its cells. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    score
        One or several: numeric columns of `obs` (as `sc.tl.score_genes` writes them) or genes.
    groupby
        Column of `obs` with the groups: conditions, ...
    {unit}
    layer
        Take the values of genes from this layer instead of `X`. Counts whose normalising was left to their readers
        (`defer` in :func:`scclr_ext.pp.contrastive_preprocess`) are log-normalised as the model reads them.
    {reference}
    paired
        Compare each unit with itself, leaving out those that are not in all groups compared. None does so, score by
        score, where every unit has a value in every group.

    Returns
    -------
    One row per score and comparison:

    `score`, `comparison`
        The score, and the groups compared.
    `test`
        Mann-Whitney for two groups, Kruskal-Wallis for more; Wilcoxon's signed ranks and Friedman where paired.
    `n_units`
        Donors in the test.
    `difference`
        With two groups: median of the units' means in the first less that in the second (paired: median of the
        differences).
    `statistic`, `p_value`
        NaN where a group has fewer than two units.
    `p_adjusted`
        Corrected over all rows (Benjamini-Hochberg).

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or a score is not numeric.
    KeyError
        If a column, gene or layer is missing, or `reference` is no group.
    ValueError
        If no cell has all labels, no score is named, there is one group only, or `paired` where no unit is in two.

    Warns
    -----
    {units_warned}

    Notes
    -----
    {few_units}

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = {"isg": [5.0, 6.0, 7.0, 1.0, 2.0, 3.0], "condition": ["ill"] * 3 + ["well"] * 3, "donor": list("pqrstu")}
    >>> adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(6)]))
    >>> table = clr.get.scores_by_group_test(adata, "isg", "condition", unit="donor")
    >>> table[["comparison", "test", "n_units", "difference", "p_value"]]
        comparison          test  n_units  difference  p_value
    0  ill vs well  Mann-Whitney        6         4.0      0.1
    """
    means = scores_by_group(adata, score, groupby, unit=unit, layer=layer)
    groups = means["group"].cat.categories  # also those in which a score has no values
    per_score = {
        name: rows.pivot_table(index="unit", columns="group", values="mean", observed=True).reindex(columns=groups)
        for name, rows in means.groupby("score", observed=True, sort=False)
    }
    pairing = decide_pairing(list(per_score.values()), paired=paired)
    return tabulate(
        ({"score": name}, found)
        for (name, values), in_pairs in zip(per_score.items(), pairing, strict=True)
        for found in compare_groups(values, reference=reference, paired=in_pairs)
    )
