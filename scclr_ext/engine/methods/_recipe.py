"""How a method wants its input prepared."""

from __future__ import annotations

from typing import NamedTuple


class Recipe(NamedTuple):
    """Library size that cells are brought to (None: the median), and number of genes kept for the model."""

    target_sum: float | None = 1e4
    n_top_genes: int = 2000
