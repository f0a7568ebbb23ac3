from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from natsort import natsorted

from scclr_ext._anndata import check_adata, check_column
from scclr_ext._categories import categories_of
from scclr_ext._keys import PSEUDOTIME_OBS
from scclr_ext._records import PSEUDOTIME
from scclr_ext._stale import warn_of_earlier_training
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from anndata import AnnData


def pseudotime_order(adata: AnnData, stage: str, *, key: str = PSEUDOTIME_OBS) -> pd.DataFrame:
    """Put each cell's pseudotime beside its known stage.

    This is the table behind :func:`scclr_ext.pl.pseudotime_order`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    stage
        Column of `obs` with the stages: categories in their order (an ordered categorical, or one whose categories
        stand in order), or numbers, such as days.
    key
        Column of `obs` with the pseudotime; `"dpt_pseudotime"` for that of `sc.tl.dpt`.

    Returns
    -------
    One row per cell that has a stage, named by the cell:

    `stage`
        The stage, as an ordered categorical.
    `order`
        Its number: the value where stages are numbers, else the place of the category, from 0.
    `pseudotime`
        NaN where the cell cannot be reached from the root (scanpy writes infinity there).
    `rank`
        Rank of the pseudotime, from 1, ties averaged; NaN where there is none.

    Spearman's correlation is then `table["pseudotime"].corr(table["order"], method="spearman")`.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or the pseudotime is not numeric.
    KeyError
        If a column is missing.
    ValueError
        If no cell has a stage.

    Warns
    -----
    UserWarning
        If nobody said how the stages follow one another and their names, which have no numbers, had to. Or if the
        cells were embedded again since they were put in order.

    Notes
    -----
    Cells of a stage are tied, pseudotimes are not: even a perfect order stays below 1. For the six stages of 90 human
    embryo cells the highest value that can be reached is 0.971.

    Examples
    --------
    >>> import pandas as pd
    >>> from anndata import AnnData
    >>> import scclr_ext as clr
    >>> obs = pd.DataFrame({"day": [0, 0, 1, 2], "clr_pseudotime": [0.0, 0.1, 0.6, 1.0]}, index=list("abcd"))
    >>> table = clr.get.pseudotime_order(AnnData(obs=obs), "day")
    >>> table
      stage  order  pseudotime  rank
    a     0      0         0.0   1.0
    b     0      0         0.1   2.0
    c     1      1         0.6   3.0
    d     2      2         1.0   4.0
    >>> float(table["pseudotime"].corr(table["order"], method="spearman"))
    0.949
    """
    check_adata(adata)
    for argument, column in (("stage", stage), ("key", key)):
        hint = " Run scclr_ext.tl.contrastive_pseudotime(adata, root=...) first." if argument == "key" else ""
        check_column(adata, column, argument, hint=hint)
    if not pd.api.types.is_numeric_dtype(adata.obs[key]):
        msg = f"`key={key!r}` is a column of adata.obs that is not numeric ({adata.obs[key].dtype})."
        raise TypeError(msg)
    known = adata.obs[stage].notna().to_numpy()
    if not known.any():
        msg = f"No cell has a stage in adata.obs[{stage!r}]; fill it in."
        raise ValueError(msg)
    column = adata.obs[stage][known]
    stages = categories_of(column)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric and _order_is_a_guess(stages):
        shown = ", ".join(str(name) for name in stages.categories[:5]) + (", ..." if len(stages.categories) > 5 else "")
        msg = (
            f"The stages of adata.obs[{stage!r}] are taken in the order of their names ({shown}); if they follow one "
            f"another in another way, say so: adata.obs[{stage!r}] = pd.Categorical(adata.obs[{stage!r}], [first, "
            "second, ...], ordered=True)."
        )
        warn(msg)
    warn_of_earlier_training(adata, key, PSEUDOTIME)
    pseudotime = adata.obs[key][known].to_numpy(dtype=np.float64, na_value=np.nan)
    table = pd.DataFrame(
        {
            "stage": stages.as_ordered(),
            "order": column.to_numpy() if numeric else stages.codes.astype(np.int64),
            "pseudotime": np.where(np.isfinite(pseudotime), pseudotime, np.nan),
        },
        index=adata.obs_names[known],
    )
    return table.assign(rank=table["pseudotime"].rank())


def _order_is_a_guess(stages: pd.Categorical) -> bool:
    """Whether the stages stand as software sorts them, and their names do not tell when they are."""
    labels = list(stages.categories)
    if stages.ordered or len(labels) == 1 or not all(isinstance(name, str) for name in labels):
        return False
    timed = all(re.search(r"\d", name) for name in labels)
    return not timed and labels in (sorted(labels), natsorted(labels))
