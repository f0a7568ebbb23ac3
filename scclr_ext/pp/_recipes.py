"""How each method wants its input prepared."""

from __future__ import annotations

from typing import NamedTuple


class Recipe(NamedTuple):
    """Library size that cells are brought to (None: the median), and number of genes kept for the model."""

    target_sum: float | None
    n_top_genes: int


RECIPES: dict[str, Recipe] = {
    "scclr": Recipe(target_sum=1e4, n_top_genes=2000),
    "clear": Recipe(target_sum=1e4, n_top_genes=2000),
    "contrastive-sc": Recipe(target_sum=None, n_top_genes=500),
}


def find_recipe(method: str) -> Recipe:
    """Look a recipe up.

    Raises
    ------
    ValueError
        For an unknown method.
    """
    if method not in RECIPES:
        msg = f"Unknown `method` {method!r}; choose one of {', '.join(map(repr, RECIPES))}."
        raise ValueError(msg)
    return RECIPES[method]
