"""Whether logarithms are those the models read: natural ones, of cells that were brought to one library size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scclr_ext import _keys
from scclr_ext._values.logarithms import BASES, FEWEST, common_size, linear_sizes, stored_values, undone
from scclr_ext._values.normalize import library_sizes
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_EXACT = 1e3
"""Up to here float32 logarithms tell whole numbers from others: the error is below a hundredth."""
_WHOLE = 0.02
_APART = 1.5
"""Sequencing depths of cells spread over several times; what a correction leaves of them does not."""
_LARGEST_LIBRARY = 1e8
_PERCENT = 100.0
_OFTEN, _ABOUT_ONE, _MOST_GENES, _FEWEST_TO_SCALE = 0.2, 0.2, 0.9, 30
"""Of the genes found in so many of some 250 cells, 93 % and more had a standard deviation so near to 1 in each of 20
studies where they were scaled, also where large values were clipped. Logarithms of the most variable genes may have."""
_DIFFERENT = 0.98
"""Share of a cell's values that are unlike its others: of scaled ones 99 % and more, of logarithms 96 % and less. With
both limits no logarithms of the 40 to 1 000 most variable genes of 21 studies were taken for scaled ones."""
_TWICE = "logarithms of logarithms: sc.pp.log1p was called twice"
_SCALED = "values of which most genes have a standard deviation of 1: they were scaled"
_EXIT = " If they are what they should be, pass `check_values=False`."
"""All of this is told from some cells: it may be wrong."""


def check_logarithms(adata: AnnData, cells: Any, *, layer: str | None, where: str, refuse: bool = True) -> None:
    """Refuse logarithms to another base, those of counts that were not normalised, and what is none or was scaled.

    Parameters
    ----------
    adata
        What the values are of: `sc.pp.log1p` notes the base in it.
    cells
        Some of the values, of all genes, float32.
    layer
        Where the values are from; None for `X`.
    where
        Its name, for the message.
    refuse
        Refuse what seems not to be normalised; else warn of it.

    Raises
    ------
    ValueError
        Where they are not what the models read. Where genes were left out, this cannot always be told.
    """
    if cells.shape[0] < FEWEST:
        return
    linear = {base: undone(cells, base) for base in BASES}
    sizes = {base: library_sizes(values) for base, values in linear.items()}
    common = next((base for base in BASES if common_size(sizes[base])), None)
    counts = (
        next((base for base in BASES if _are_counts(stored_values(linear[base]))), None) if common is None else None
    )
    filled = sizes["e" if counts is None else counts]
    filled = filled[filled > 0]
    if counts is not None and filled.max() > _APART * filled.min():  # else corrected counts, as SCTransform's
        msg = (
            f"{where} holds logarithms of counts that were not normalised: without the logarithm they are whole "
            f"numbers, and cells add up to {filled.min():,.0f} to {filled.max():,.0f}. Give the counts themselves "
            "(perhaps in a `layer`), or call sc.pp.normalize_total before sc.pp.log1p."
        )
        if refuse:
            raise ValueError(msg + _EXIT)
        warn(msg + _EXIT)
    base = common
    if base is None and layer is None:
        base = _noted(adata)
    if base not in {None, "e"}:
        msg = (
            f"{where} holds logarithms to the base {base}; the models read natural ones. Give the counts (perhaps in a "
            f"`layer`), or make natural ones of them: multiply by np.log({base}), and set adata.uns['log1p'] = {{}}."
        )
        raise ValueError(msg + _EXIT)
    if common is None and counts is None and (odd := _no_logarithms(cells, sizes)):
        msg = (
            f"{where} holds {odd}. Give the counts (perhaps in a `layer`), or values of which sc.pp.normalize_total "
            "and sc.pp.log1p were the last that was done to them."
        )
        raise ValueError(msg + _EXIT)


def check_unaltered(cells: Any, *, where: str) -> None:
    """Refuse logarithms that were normalised, and of which another logarithm was taken since, or which were scaled.

    Parameters
    ----------
    cells
        Some of the values, of all genes that were there when they were normalised, float32.
    where
        Their name, for the message.

    Raises
    ------
    ValueError
        Where that is so.
    """
    if cells.shape[0] < FEWEST or common_size(linear_sizes(cells)):
        return
    odd = _TWICE if _logged_twice(cells) else _SCALED if _standardised(cells) else None
    if odd is not None:
        msg = (
            f"{where} holds {odd} after scclr_ext.pp.contrastive_preprocess. Call that again, with the counts (in a "
            "`layer`, perhaps); or with `check_values=False`, if the values are what they should be."
        )
        raise ValueError(msg)


def _no_logarithms(cells: Any, sizes: dict[str, NDArray[np.float64]]) -> str | None:
    """Say what values are that nobody gets from a logarithm of normalised counts; None where they may be that.

    Parameters
    ----------
    cells
        Some cells, float32.
    sizes
        What they would add up to without the logarithm, base by base.
    """
    if _logged_twice(cells):
        return _TWICE
    size = common_size(library_sizes(cells))
    if 0 < size <= _PERCENT:  # logarithms that were brought to one sum afterwards add up to more
        return f"values that add up to {size:g} in every cell: they were normalised, but no logarithm was taken"
    if _are_counts(stored_values(cells).astype(np.float64) ** 2):
        return "square roots of whole numbers"
    if _standardised(cells):
        return _SCALED
    natural = sizes["e"]
    if natural.max() > _LARGEST_LIBRARY:
        told = f"without the logarithm, cells would add up to {natural.min():.1e} to {natural.max():.1e}"
        if sizes["2"].max() <= _LARGEST_LIBRARY:
            return f"logarithms to the base 2, it seems (of natural ones, {told}); multiply them by np.log(2)"
        return f"values that are no logarithms of expression: {told}"
    return None


def _logged_twice(cells: Any) -> bool:
    with np.errstate(over="ignore"):
        return common_size(library_sizes(undone(undone(cells, "e"), "e"))) > 0


def _standardised(cells: Any) -> bool:
    values = cells.toarray() if sparse.issparse(cells) else cells
    values = values[:, (values > 0).mean(axis=0) >= _OFTEN]
    if min(values.shape) < _FEWEST_TO_SCALE or (np.abs(values.std(axis=0) - 1) < _ABOUT_ONE).mean() <= _MOST_GENES:
        return False
    # Genes with the same count in a cell have the same logarithm, until each is divided by its own deviation.
    largest = values.max()  # which may be where values were clipped
    seen = [row[(row > 0) & (row < largest)] for row in values]
    return sum(len(np.unique(row)) for row in seen) > _DIFFERENT * sum(map(len, seen))


def _are_counts(stored: NDArray[np.float64]) -> bool:
    told = stored[(stored > 0) & (stored < _EXACT)]
    return len(told) > 0 and bool((np.abs(told - np.maximum(np.rint(told), 1)) < _WHOLE).all())


def _noted(adata: AnnData) -> str | None:
    """Return the base that `sc.pp.log1p` was told; None where there is nothing to read."""
    note = adata.uns.get(_keys.LOG1P_UNS)
    base = note.get("base") if isinstance(note, Mapping) else None
    if not isinstance(base, int | float | np.number) or np.isclose(base, np.e):
        return None
    return f"{base:g}"
