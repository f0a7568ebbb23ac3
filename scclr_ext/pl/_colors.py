"""Colours of categories: the user's where `uns` holds them, otherwise ones that colour-blind readers tell apart."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

import pandas as pd
from scanpy.plotting import palettes

if TYPE_CHECKING:
    from anndata import AnnData

BLUE, VERMILLION, GREY, LIGHT_GREY = "#0072B2", "#D55E00", "#666666", "#D3D3D3"

# Okabe & Ito's set; the yellow comes last, since small points of it fade on white paper.
_OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#999999", "#F0E442")


def category_colors(adata: AnnData, key: str, categories: pd.Index) -> dict[str, str]:
    """Give each category of `obs[key]` its colour; reads `uns[f"{key}_colors"]` and never writes it."""
    column = adata.obs[key]
    # scanpy keeps one colour per category of the column, including those without a cell.
    known = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else categories
    stored = adata.uns.get(f"{key}_colors")
    if stored is not None and len(stored) >= len(known):
        colors = dict(zip(known, map(str, stored), strict=False))
    else:
        colors = dict(zip(known, _palette(len(known)), strict=True))
    return {category: colors[category] for category in categories}


def _palette(n: int) -> list[str]:
    if n <= len(_OKABE_ITO):
        return list(_OKABE_ITO[:n])
    for palette in (palettes.default_20, palettes.default_28):
        if n <= len(palette):
            return list(palette[:n])
    return list(islice(cycle(palettes.default_102), n))
