"""Where a pseudotime starts."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import pairwise_distances

from scclr_ext._anndata import check_column, names
from scclr_ext._checks import is_whole

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_MEDOID_CELLS = 2000
_CHUNK = 20_000
"""Cells that are compared with those at a time."""


def find_root(adata: AnnData, root: str | int, groupby: str | None, rep: np.ndarray) -> int:
    """Return the number of the cell that `root` means: by name, by number, or the most central one of a group.

    Raises
    ------
    KeyError
        Where there is no such cell, column or group.
    """
    if groupby is not None:
        check_column(adata, groupby, "groupby")
        column = adata.obs[groupby]
        same = column.astype(str) == str(root)
        if isinstance(root, Real):
            same |= column == root  # 0 is the stage 0.0, too
        cells = np.flatnonzero(same.to_numpy() & column.notna().to_numpy())
        if not len(cells):
            found = names(column.dropna().astype(str).unique())
            msg = f"`root={root!r}` is no value of adata.obs[{groupby!r}]; found {found}."
            raise KeyError(msg)
        return _medoid(rep, cells)
    if isinstance(root, str):
        place = adata.obs_names.get_indexer_for([root])
        if len(place) != 1 or place[0] < 0:
            msg = (
                f"`root={root!r}` is not one of adata.obs_names, or occurs twice; for a cell of a cluster or a stage "
                "give the column with `groupby`."
            )
            raise KeyError(msg)
        return int(place[0])
    if not is_whole(root) or not 0 <= root < adata.n_obs:
        msg = f"`root={root!r}` is neither the name nor the number (0 to {adata.n_obs - 1}) of a cell."
        raise KeyError(msg)
    return int(root)


def _medoid(rep: np.ndarray, cells: NDArray[np.int64]) -> int:
    """Find the cell with the smallest sum of distances to the others, or to evenly spaced ones where they are many."""
    some = rep[cells[:: -(-len(cells) // _MEDOID_CELLS)]]
    parts = [cells[start : start + _CHUNK] for start in range(0, len(cells), _CHUNK)]
    return int(cells[np.concatenate([pairwise_distances(rep[part], some).sum(axis=1) for part in parts]).argmin()])
