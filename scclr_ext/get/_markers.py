"""Markers from `sc.tl.rank_genes_groups`, where they are of the groups that were asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scclr_ext._anndata import names
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from anndata import AnnData

RANKED = "rank_genes_groups"


def find_markers(adata: AnnData, rank_key: str | None, groupby: str) -> Any:
    """Find the markers of the groups of `obs[groupby]`; None without any.

    Clusters are numbered: those of another clustering have the same names, and their markers would pass for these.

    Raises
    ------
    KeyError
        If there is nothing of the name that was given.
    ValueError
        If what has that name is of other groups.
    """
    name = RANKED if rank_key is None else rank_key
    if name not in adata.uns:
        if rank_key is None:
            return None
        msg = (
            f"`rank_key={rank_key!r}` is not in adata.uns; found {names(adata.uns)}. Call "
            f"sc.tl.rank_genes_groups(adata, {groupby!r}, key_added={rank_key!r}) first, or leave `rank_key` out."
        )
        raise KeyError(msg)
    ranked = adata.uns[name]
    params = ranked.get("params") if isinstance(ranked, Mapping) else None
    compared = str(params.get("groupby", groupby)) if isinstance(params, Mapping) else groupby
    if compared == groupby:
        return ranked
    found = f"adata.uns[{name!r}] holds the markers of the groups in adata.obs[{compared!r}]"
    if rank_key is not None:
        msg = (
            f"`rank_key={rank_key!r}`: {found}, and the attributions are of {groupby or 'all cells'!r}. Call "
            "sc.tl.rank_genes_groups with the same `groupby`, or leave `rank_key` out."
        )
        raise ValueError(msg)
    if groupby:  # all cells together have no markers that anyone could compute
        warn(
            f"{found}, and the attributions are of {groupby!r}: the markers are left out. Call "
            f"sc.tl.rank_genes_groups(adata, {groupby!r}), with a `key_added` that you give as `rank_key` if you want "
            "to keep the others."
        )
    return None


def marker_scores(ranked: Any, group: str) -> pd.Series:
    """Read the genes of one group from `rank_genes_groups`, best first, with their scores; empty without any."""
    listed = ranked.get("names") if isinstance(ranked, Mapping) else None
    fields = getattr(getattr(listed, "dtype", None), "names", None) or ()
    if group not in fields or listed is None:
        return pd.Series(dtype=np.float64)
    genes = pd.Index(np.asarray(listed[group]).astype(str))
    return pd.Series(np.asarray(ranked["scores"][group], dtype=np.float64), index=genes)[~genes.duplicated()]
