"""The choice of the genes a model sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext import _keys
from scclr_ext._values.gene_mask import gene_mask
from scclr_ext.pp._dispersion import rank_genes, rank_genes_in_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scclr_ext.engine.moments import Moments

_MIN_CELLS = 2
"""A gene seen in fewer cells says nothing about how cells resemble one another (contrastive-sc, Methods)."""
_MIN_BATCH = 3
_ROUNDING = 1e-6
"""One value, reached from several library sizes, differs by this share at most."""
_COLUMNS = [_keys.HIGHLY_VARIABLE_VAR, "means", "dispersions", "dispersions_norm"]


def select_genes(
    moments: Moments, var: pd.DataFrame, n_top_genes: int, *, mask_genes: str | NDArray[np.bool_] | None
) -> pd.DataFrame:
    """Rank genes by normalised dispersion and mark the highest.

    Parameters
    ----------
    moments
        Of the normalised values, not logged. Where they are of several batches, genes are ranked within batches of at
        least three cells, and the ranks combined.
    var
        The user's gene table, in which `mask_genes` may name a column.
    n_top_genes
        Number of genes to mark; all eligible ones where there are fewer.
    mask_genes
        Genes that may be chosen.

    Returns
    -------
    A row per gene with `highly_variable` and the statistics behind it (NaN where a gene was not eligible, or where
    the dispersions of its bin are all the same).

    Raises
    ------
    KeyError, ValueError
        Where `mask_genes` makes no sense, or no gene can be chosen.
    """
    whole = moments.pooled()
    eligible = (whole.seen[0] >= _MIN_CELLS) & _varies(whole)[0] & gene_mask(var, mask_genes, argument="mask_genes")
    if not eligible.any():
        msg = (
            f"No gene can be chosen: none is found in at least {_MIN_CELLS} cells, differs between cells "
            "and is allowed by `mask_genes`. Check the values, or allow more genes."
        )
        raise ValueError(msg)

    table = pd.DataFrame(index=var.index, columns=_COLUMNS, dtype=float)
    everything = n_top_genes >= eligible.sum()
    # Dispersion within a batch of one or two cells, or of cells that are all alike, is undefined or noise.
    usable = (moments.n >= _MIN_BATCH) & _varies(moments)[:, eligible].any(axis=1)
    if len(moments.n) > 1 and usable.any():
        part = np.ix_(usable, eligible)
        ranked = rank_genes_in_batches(
            moments.mean[part], moments.variance[part], moments.seen[part], var.index[eligible], n_top_genes
        )
    else:
        ranked = rank_genes(whole.mean[0, eligible], whole.variance[0, eligible], n_top_genes)
    if not everything and ranked["dispersions_norm"].isna().all():
        msg = "No gene of adata can be chosen: all have the same dispersion. Check the values, or allow more genes."
        raise ValueError(msg)
    for column in _COLUMNS[1:]:
        table.loc[eligible, column] = ranked[column].to_numpy()
    table["highly_variable"] = False
    table.loc[eligible, "highly_variable"] = True if everything else ranked["highly_variable"].to_numpy(dtype=bool)
    return table


def _varies(moments: Moments) -> NDArray[np.bool_]:
    return moments.variance > (_ROUNDING * moments.mean) ** 2
