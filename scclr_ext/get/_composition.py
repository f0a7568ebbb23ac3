from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext.get._groups import read_labels

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def composition(adata: AnnData, labels: str, groupby: str, *, unit: str | None = None) -> pd.DataFrame:
    """Tabulate the share of each cell type in each condition, or in each donor of each condition.

    This is a table behind :func:`scclr_ext.pl.composition`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    labels
        Column of `obs` with the categories that are counted: cell types, clusters, ...
    groupby
        Column of `obs` with the groups: conditions, ...
    unit
        Column of `obs` with what was sampled independently: donors, animals, ... None pools the cells of a group.

    Returns
    -------
    One row for each group, each of its units and each category, those without a cell included, in the order of the
    categories:

    `group`, `unit`, `category`
        As categorical columns; `unit` only where one is given. A unit that is in several groups has rows in each.
    `n_cells`
        Number of cells.
    `n_total`
        All cells of that unit in that group.
    `fraction`
        Their quotient; sums to 1 over the categories.

    Cells without a label (NaN) in one of the columns are left out.

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If a column is missing.
    ValueError
        If no cell has all labels.

    Warns
    -----
    UserWarning
        If all cells of a group lack a label in another column.

    See Also
    --------
    scclr_ext.get.composition_test : do the shares differ between the groups?

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = {"type": list("BTTTBBTT"), "condition": ["ill"] * 4 + ["well"] * 4, "donor": list("ppqqrrss")}
    >>> adata = AnnData(obs=pd.DataFrame(obs, index=[f"cell{i}" for i in range(8)]))
    >>> clr.get.composition(adata, "type", "condition")
      group category  n_cells  n_total  fraction
    0   ill        B        1        4      0.25
    1   ill        T        3        4      0.75
    2  well        B        2        4      0.50
    3  well        T        2        4      0.50
    >>> clr.get.composition(adata, "type", "condition", unit="donor").shape
    (8, 6)
    """
    cells = read_labels(adata, labels=labels, groupby=groupby, unit=unit)
    cells = cells.rename(columns={"labels": "category", "groupby": "group"})
    sample = ["group"] if unit is None else ["group", "unit"]
    # A unit without a single cell of a type has none of it; one without any cell in a group was not measured there.
    counts = cells.groupby([*sample, "category"], observed=False, sort=True).size().rename("n_cells").reset_index()
    counts["n_total"] = counts.groupby(sample, observed=False)["n_cells"].transform("sum")
    table = counts[counts["n_total"] > 0].reset_index(drop=True)
    return table.assign(fraction=table["n_cells"] / table["n_total"])
