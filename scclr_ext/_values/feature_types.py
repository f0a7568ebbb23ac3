"""Antibodies, hashtags and peaks that a file has beside its genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from anndata import AnnData

_COLUMN, _GENES = "feature_types", "Gene Expression"
"""As Cell Ranger writes them."""


def no_genes(adata: AnnData, whose: str = "adata") -> str | None:
    """Word the warning of features that are no genes; None where there are none, or nothing but them."""
    if _COLUMN not in adata.var:
        return None
    kinds = pd.Series(adata.var[_COLUMN].to_numpy()).dropna().astype(str)
    kinds = kinds[~kinds.isin(["", "nan"])]
    others = kinds[kinds.str.casefold() != _GENES.casefold()]
    if others.empty or len(others) == len(kinds):
        return None
    shown = " and ".join(f"{count} of {kind!r}" for kind, count in others.value_counts().items())
    return (
        f"{whose}.var[{_COLUMN!r}] has {shown} beside {_GENES!r}: they count as genes, "
        f"and towards the library size of a cell where counts are normalised. Leave them out: {whose} = "
        f"{whose}[:, {whose}.var[{_COLUMN!r}] == {_GENES!r}].copy()"
    )
