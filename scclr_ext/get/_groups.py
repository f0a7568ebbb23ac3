"""Which cells belong to which group (condition) and unit (donor), with errors that name the column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._anndata import check_adata, check_column, names
from scclr_ext._categories import by_name, categories_of, check_groups, widened
from scclr_ext._values.matrix import get_matrix
from scclr_ext._warn import warn
from scclr_ext.get._expression import in_raw, read_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


def read_labels(adata: AnnData, **columns: str | None) -> pd.DataFrame:
    """Read columns of `obs` as named categories; cells that lack one of them are left out, the index counts all cells.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes.
    columns
        The name of each argument and the column of `obs` it names; None leaves that one out.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or a column is not named.
    KeyError
        If a column is missing.
    ValueError
        If no cell has all labels, or a column holds measurements or names of cells.
    """
    check_adata(adata)
    keys = {argument: key for argument, key in columns.items() if key is not None}
    for argument, key in keys.items():
        check = check_column if argument == "unit" else check_groups  # a donor may be one row
        check(adata, key, argument)
    found = pd.DataFrame({argument: widened(adata.obs[key]).to_numpy() for argument, key in keys.items()})
    known = found.notna().all(axis=1).to_numpy()
    if not known.any():
        msg = f"No cell has a label in {', '.join(f'adata.obs[{key!r}]' for key in keys.values())}; fill them in."
        raise ValueError(msg)
    _warn_of_lost_groups(found, known, keys)
    labels = {argument: by_name(categories_of(adata.obs[key][known])) for argument, key in keys.items()}
    return pd.DataFrame(labels, index=known.nonzero()[0])


def _warn_of_lost_groups(found: pd.DataFrame, known: np.ndarray, keys: dict[str, str]) -> None:
    """Say which groups no cell is left of: a comparison without them is not the one that was asked for."""
    if "groupby" not in found:
        return
    kept = found["groupby"].isin(found.loc[known, "groupby"])
    lost = found[~kept & found["groupby"].notna()]
    if lost.empty:
        return
    missing = " or ".join(f"obs[{keys[other]!r}]" for other in keys if lost[other].isna().any())
    warn(
        f"No cell of {names(lost['groupby'].unique())} (obs[{keys['groupby']!r}], {len(lost)} cells) has a label in "
        f"{missing}: left out. Fill it in to compare them."
    )


def read_scores(adata: AnnData, score: str | Sequence[str], *, layer: str | None) -> dict[str, np.ndarray]:
    """Read numeric columns of `obs`, or genes, as one value per cell.

    Raises
    ------
    TypeError
        If a column is not numeric.
    KeyError
        If a name or the layer is missing.
    ValueError
        If nothing is named.
    """
    wanted = list(dict.fromkeys([score] if isinstance(score, str) else score))
    if not wanted:
        msg = "`score` is empty; name a numeric column of adata.obs or a gene."
        raise ValueError(msg)
    if layer is not None and layer not in adata.layers:
        msg = f"`layer={layer!r}` is not in adata.layers; found {names(adata.layers)}."
        raise KeyError(msg)
    for name in wanted:
        if name not in adata.obs and name not in adata.var_names:
            msg = (
                f"`score` names {name!r}, which is neither a column of adata.obs nor a gene in adata.var_names; "
                f"sc.tl.score_genes writes a score for a list of genes.{in_raw(adata, name)}"
            )
            raise KeyError(msg)
        if name in adata.obs and not _is_numeric(adata.obs[name]):
            msg = f"`score={name!r}` is a column of adata.obs that is not numeric ({adata.obs[name].dtype})."
            raise TypeError(msg)
    genes = [name for name in wanted if name not in adata.obs]
    if genes and not _can_be_read(get_matrix(adata, layer).dtype):
        msg = (
            f"`score={genes[0]!r}` is a gene with values of type {get_matrix(adata, layer).dtype}; convert them, for "
            "example with .astype('float32')."
        )
        raise TypeError(msg)
    values = read_expression(adata, genes, layer=layer) if genes else pd.DataFrame(index=adata.obs_names)
    return {
        name: (adata.obs[name] if name in adata.obs else values[name]).to_numpy(dtype=np.float64, na_value=np.nan)
        for name in wanted
    }


def _can_be_read(dtype: np.dtype) -> bool:
    return dtype.kind in "buif" and bool(dtype.isnative)  # pandas reads no other order of bytes


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
