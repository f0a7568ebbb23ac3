from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from scclr_ext.get._groups import read_labels, read_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


def scores_by_group(
    adata: AnnData,
    score: str | Sequence[str],
    groupby: str,
    *,
    unit: str | None = None,
    layer: str | None = None,
) -> pd.DataFrame:
    """Summarise a score in each condition, or in each donor of each condition.

    This is a table behind :func:`scclr_ext.pl.scores_by_group`. Nothing is written to `adata`. For a score in one cell
    type, pass those cells: `adata[adata.obs["cell_type"] == "CD14 Mono"]`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    score
        One or several: numeric columns of `obs` (as `sc.tl.score_genes` writes them) or genes.
    groupby
        Column of `obs` with the groups: conditions, ...
    unit
        Column of `obs` with what was sampled independently: donors, animals, ... None pools the cells of a group.
    layer
        Take the values of genes from this layer instead of `X`. Counts whose normalising was left to their readers
        (`defer` in :func:`scclr_ext.pp.contrastive_preprocess`) are log-normalised as the model reads them.

    Returns
    -------
    One row for each score, group and unit of that group, in the order of the categories:

    `score`, `group`, `unit`
        What is summarised; `unit` only where one is given. A unit that is in several groups has rows in each.
    `n_cells`
        Number of cells with a value.
    `mean`, `q25`, `median`, `q75`
        Over these cells.

    Cells without a label (NaN) in one of the columns, or without a value, are left out.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or a score is not numeric.
    KeyError
        If a column, gene or layer is missing.
    ValueError
        If no cell has all labels and a value, or no score is named.

    Warns
    -----
    UserWarning
        If all cells of a group lack a label in another column.

    See Also
    --------
    scclr_ext.get.scores_by_group_test : does the score differ between the groups?

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = {"isg": [1.0, 2.0, 3.0, 6.0, 0.0, 0.5], "condition": ["ill"] * 4 + ["well"] * 2, "donor": list("ppqqrr")}
    >>> adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(6)]))
    >>> clr.get.scores_by_group(adata, "isg", "condition", unit="donor")[["group", "unit", "n_cells", "mean"]]
      group unit  n_cells  mean
    0   ill    p        2  1.50
    1   ill    q        2  4.50
    2  well    r        2  0.25
    """
    labels = read_labels(adata, groupby=groupby, unit=unit).rename(columns={"groupby": "group"})
    scores = read_scores(adata, score, layer=layer)
    sample = ["group"] if unit is None else ["group", "unit"]
    tables = []
    for name, values in scores.items():
        known = labels.assign(value=values[labels.index]).dropna()
        if known.empty:
            msg = f"`score={name!r}`: no cell has a value."
            raise ValueError(msg)
        per_sample = known.groupby(sample, observed=True, sort=True)
        spread = per_sample["value"].quantile([0.25, 0.5, 0.75]).unstack()
        table = per_sample["value"].agg(n_cells="size", mean="mean")
        table[["q25", "median", "q75"]] = spread
        table = table.reset_index()
        table.insert(0, "score", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
