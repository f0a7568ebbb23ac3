from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scclr_ext import _keys
from scclr_ext._anndata import names
from scclr_ext._checks import check_whole
from scclr_ext._records import ATTRIBUTION, find_record
from scclr_ext._stale import warn_of_earlier_training
from scclr_ext._warn import warn
from scclr_ext.get._markers import find_markers, marker_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray


def gene_attribution(
    adata: AnnData,
    groups: str | Sequence[str] | None = None,
    *,
    n_genes: int | None = None,
    key: str = _keys.ATTRIBUTION,
    rank_key: str | None = None,
) -> pd.DataFrame:
    """Tabulate the genes that drive the embedding, or set groups apart in it, the strongest first.

    This is the table behind :func:`scclr_ext.pl.gene_attribution`. Nothing is written to `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes, after :func:`scclr_ext.tl.gene_attribution`.
    groups
        Group or groups to list; None for all.
    n_genes
        Genes per group; None for all that the network sees.
    key
        Name of the record: what `tl.gene_attribution` was told in `key_added`.
    rank_key
        Key in `uns` of `sc.tl.rank_genes_groups`, whose scores stand beside. None takes `"rank_genes_groups"` where it
        is there and has the same groups.

    Returns
    -------
    One row per group and gene, within each group from the highest contribution to the lowest:

    `group`, `gene`, `rank`
        The rank starts at 1.
    `attribution`
        Contribution, in units of the embedding: positive where the gene moves cells towards the group.
    `share`
        The same as a share of the whole way that cells are moved. Sums to 1 but for the error recorded in `uns`.
    `difference`
        Mean log-normalised expression in the group minus that of the reference.
    `marker_score`, `marker_rank`
        Score and rank (from 1) in `rank_genes_groups`; NaN and missing where that does not list the gene. Only where
        there are markers of the same groups.

    Raises
    ------
    TypeError
        If `adata` is no AnnData.
    KeyError
        If `uns[key]` or what it names in `varm`, `uns[rank_key]` or a group is missing, or all of its genes are.
    ValueError
        If `uns[key]` is not the record of attributions, `uns[rank_key]` is of other groups, or `n_genes` is below 1.

    Warns
    -----
    UserWarning
        Where `rank_key` is not given and `uns["rank_genes_groups"]` is of other groups (it is left out), some of the
        genes with attributions are missing, or the cells were embedded again since.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> adata = ad.AnnData(np.zeros((4, 3), dtype="float32"))
    >>> adata.var_names = ["CD3E", "LYZ", "unseen"]
    >>> adata.varm["clr_attribution"] = np.array([[0.2], [0.6], [0.0]])
    >>> adata.varm["clr_attribution_difference"] = np.array([[-1.0], [2.0], [0.0]])
    >>> params = {"groupby": "type", "reference": "rest", "difference_key": "clr_attribution_difference"}
    >>> record = {"params": params, "groups": np.array(["monocytes"]), "genes": np.array(["CD3E", "LYZ"])}
    >>> adata.uns["clr_attribution"] = record | {"total": np.array([0.8]), "error": np.array([0.0])}
    >>> clr.get.gene_attribution(adata)
           group  gene  rank  attribution  share  difference
    0  monocytes   LYZ     1          0.6   0.75         2.0
    1  monocytes  CD3E     2          0.2   0.25        -1.0
    """
    record = read_attribution(adata, key)
    warn_of_earlier_training(adata, key, ATTRIBUTION)
    if n_genes is not None:
        check_whole(1, n_genes=n_genes)
    known = [str(group) for group in np.atleast_1d(record["groups"])]
    wanted = known if groups is None else [groups] if isinstance(groups, str) else list(groups)
    for group in wanted:
        if group not in known:
            msg = f"`groups` names {group!r}, which has no attributions; choose from {', '.join(map(repr, known))}."
            raise KeyError(msg)
    ranked = find_markers(adata, rank_key, str(record["params"].get("groupby", "")))
    seen = _genes_of(adata, record, key)
    values = np.asarray(adata.varm[key], dtype=np.float64)[seen]
    difference = np.asarray(adata.varm[record["params"]["difference_key"]], dtype=np.float64)[seen]
    totals = np.atleast_1d(record["total"])
    parts = []
    for group in wanted:
        column = known.index(group)
        order = np.argsort(-values[:, column], kind="stable")[:n_genes]
        part = pd.DataFrame(
            {
                "group": group,
                "gene": adata.var_names[seen[order]].astype(str),
                "rank": np.arange(1, len(order) + 1),
                "attribution": values[order, column],
                "share": values[order, column] / totals[column] if totals[column] != 0 else np.nan,
                "difference": difference[order, column],
            }
        )
        parts.append(part if ranked is None else _beside_markers(part, ranked, group))
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"group": pd.CategoricalDtype(wanted)})


def _genes_of(adata: AnnData, record: Mapping[str, Any], key: str) -> NDArray[np.intp]:
    """Find the genes that have attributions among those of adata."""
    genes = np.atleast_1d(record["genes"])
    seen = np.flatnonzero(adata.var_names.isin(genes))
    if len(seen) < len(genes):
        lacks = f"adata lacks {len(genes) - len(seen)} of the {len(genes)} genes in adata.uns[{key!r}]"
        remedy = "Use the AnnData with all of them, or, if they were renamed, the names they had."
        if not len(seen):
            msg = f"{lacks}. {remedy}"
            raise KeyError(msg)
        warn(f"{lacks}: ranks are those among the others. {remedy}")
    return seen


def _beside_markers(part: pd.DataFrame, ranked: Any, group: str) -> pd.DataFrame:
    markers = marker_scores(ranked, group)
    place = markers.index.get_indexer(part["gene"])
    part["marker_score"] = np.where(place >= 0, markers.to_numpy()[place] if len(markers) else np.nan, np.nan)
    part["marker_rank"] = pd.array(np.where(place >= 0, place + 1, -1), dtype="Int64")
    part.loc[place < 0, "marker_rank"] = pd.NA
    return part


def read_attribution(adata: AnnData, key: str) -> Mapping[str, Any]:
    """Find the record that :func:`scclr_ext.tl.gene_attribution` left under `adata.uns[key]`."""
    record = find_record(adata, key, ATTRIBUTION)
    for name in (key, str(record["params"]["difference_key"])):
        if name not in adata.varm:
            msg = (
                f"adata.varm has no {name!r} (it has: {names(adata.varm)}), which belongs to adata.uns[{key!r}]. Call "
                "`scclr_ext.tl.gene_attribution(adata)` again."
            )
            raise KeyError(msg)
    return record
