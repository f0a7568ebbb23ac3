"""Colours of categories: the user's where `uns` holds them, otherwise those that scanpy would give them."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import is_color_like, to_hex, to_rgba
from scanpy.plotting import palettes

from scclr_ext._warn import warn

if TYPE_CHECKING:
    from anndata import AnnData

BLUE, VERMILLION, GREY, LIGHT_GREY = "#0072B2", "#D55E00", "#666666", "#D3D3D3"


def category_colors(adata: AnnData, key: str, categories: pd.Index) -> dict[str, str]:
    """Give each category of `obs[key]` its colour; reads `uns[f"{key}_colors"]` and never writes it."""
    column = adata.obs[key]
    # scanpy keeps one colour per category of the column, including those without a cell.
    known = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else categories
    names = map(str, known)  # numbers and truth values may be called by theirs
    colors = dict(zip(names, _stored(adata, key, len(known)) or _palette(len(known)), strict=False))
    return {category: colors[str(category)] for category in categories}


def _stored(adata: AnnData, key: str, n: int) -> list[str] | None:
    """Read the colours of `n` categories from `uns`; None where there are none or too few, as scanpy has it.

    Warns
    -----
    UserWarning
        Where they are no colours.
    """
    stored = adata.uns.get(f"{key}_colors")
    if stored is None:
        return None
    stored = [stored] if isinstance(stored, str) else list(stored)
    wrong = [color for color in stored if not is_color_like(color)]
    if wrong:
        warn(
            f"adata.uns['{key}_colors'] names {wrong[0]!r}, which is no colour to matplotlib: default ones are drawn. "
            "Correct it, or delete the entry."
        )
        return None
    return [to_hex(color, keep_alpha=to_rgba(color)[3] < 1) for color in stored] if len(stored) >= n else None


def _palette(n: int) -> list[str]:
    cycled = mpl.rcParams["axes.prop_cycle"].by_key().get("color", [])
    for palette in (cycled, palettes.default_20, palettes.default_28):
        if n <= len(palette):
            return [to_hex(color) for color in palette[:n]]
    # Where scanpy runs out of them, it draws every category grey.
    return [to_hex(color) for color in islice(cycle(palettes.default_102), n)]
