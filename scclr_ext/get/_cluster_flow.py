from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from scclr_ext._anndata import check_adata, check_column
from scclr_ext._categories import categories_of

if TYPE_CHECKING:
    from anndata import AnnData


def cluster_flow(adata: AnnData, left: str, right: str) -> pd.DataFrame:
    """Count the cells that each category of one column shares with each category of another.

    This is the table behind :func:`scclr_ext.pl.cluster_flow`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    left
        Column of `obs` with categories: clusters, cell types, batches, ...
    right
        Another column of `obs` with categories.

    Returns
    -------
    One row for each pair of categories with at least one cell in common, in the order of the categories:

    `left`, `right`
        The two categories, as categorical columns that know all categories that occur.
    `n_cells`
        Number of cells with both labels.
    `fraction`
        Their share of all cells counted; sums to 1.

    Cells without a label (NaN) in either column are left out.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `left` or `right` no name.
    KeyError
        If a column is missing.
    ValueError
        If no cell has both labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = pd.DataFrame({"a": ["x", "x", "x", "y"], "b": ["1", "1", "2", "2"]}, index=list("pqrs"))
    >>> clr.get.cluster_flow(AnnData(obs=obs), "a", "b")
      left right  n_cells  fraction
    0    x     1        2      0.50
    1    x     2        1      0.25
    2    y     2        1      0.25
    """
    check_adata(adata)
    for side, key in (("left", left), ("right", right)):
        check_column(adata, key, side)
    both = adata.obs[left].notna().to_numpy() & adata.obs[right].notna().to_numpy()
    if not both.any():
        msg = f"No cell has a label in both adata.obs[{left!r}] and adata.obs[{right!r}]; fill in what is missing."
        raise ValueError(msg)
    labels = {side: categories_of(adata.obs[key][both]) for side, key in (("left", left), ("right", right))}
    pairs = pd.DataFrame(labels).groupby(["left", "right"], observed=True, sort=True)
    table = pairs.size().rename("n_cells").reset_index()
    table["fraction"] = table["n_cells"] / both.sum()
    return table
