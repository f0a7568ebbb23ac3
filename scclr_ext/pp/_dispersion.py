"""Normalised dispersion of genes, as Seurat defined it and scanpy calls it `flavor="seurat"`."""

from __future__ import annotations

import numpy as np
import pandas as pd

_BINS = 20
_TINY = 1e-12


def rank_genes(mean: np.ndarray, variance: np.ndarray, n_top: int) -> pd.DataFrame:
    """Compare each gene's dispersion with that of genes with similar means, and mark the highest.

    Parameters
    ----------
    mean, variance
        Moments of each gene's normalised values, not logged; shape ``(genes,)``.
    n_top
        Genes to mark; those that share the lowest value are all marked.

    Returns
    -------
    A row per gene: `means` and `dispersions`, both logged, `dispersions_norm` (NaN where the gene does not vary) and
    `highly_variable`.

    Notes
    -----
    Dispersion is variance over mean (Satija et al. 2015). Genes are put into 20 bins of equal width in the logged
    mean, and their logged dispersions standardised within the bin. A gene alone in its bin gets the value one.
    """
    mean = np.where(mean == 0, _TINY, mean)
    dispersion = np.log(np.where(variance == 0, np.nan, variance) / mean)
    table = pd.DataFrame({"means": np.log1p(mean), "dispersions": dispersion})
    of_bin = table.groupby(pd.cut(table["means"], _BINS), observed=True)["dispersions"]
    centre, spread = of_bin.transform("mean"), of_bin.transform("std")
    alone = spread.isna()
    centre, spread = centre.mask(alone, 0.0), spread.mask(alone, centre)
    table["dispersions_norm"] = (table["dispersions"] - centre) / spread
    table["highly_variable"] = _top(table["dispersions_norm"].to_numpy(), n_top)
    return table


def rank_genes_in_batches(
    mean: np.ndarray, variance: np.ndarray, seen: np.ndarray, names: pd.Index, n_top: int
) -> pd.DataFrame:
    """Rank genes within each batch and mark those that are among the highest most often.

    Parameters
    ----------
    mean, variance
        As for :func:`rank_genes`, of each batch; shape ``(batches, genes)``.
    seen
        Cells with a value, same shape; a gene that is not found in a batch has no rank there.
    names
        Of the genes; the last tie is broken by them.
    n_top
        Genes to mark, within each batch and in all.

    Returns
    -------
    A row per gene, as of :func:`rank_genes`, the means over the batches; ties in the number of batches are broken by
    the normalised dispersion.
    """
    tables = []
    for batch in range(len(mean)):
        found = seen[batch] > 0
        # Zeros, as in scanpy, where the gene is missing.
        table = pd.DataFrame(0.0, index=names, columns=["means", "dispersions", "dispersions_norm", "highly_variable"])
        ranked = rank_genes(mean[batch, found], variance[batch, found], n_top)
        table.loc[found, ranked.columns] = ranked.astype(float).to_numpy()
        tables.append(table)
    joined = pd.concat(tables).groupby(level=0)
    table = joined.mean().assign(batches=joined["highly_variable"].sum())
    best = table.sort_values(["batches", "dispersions_norm"], ascending=False, na_position="last").index[:n_top]
    table["highly_variable"] = table.index.isin(best)
    return table.loc[names].drop(columns="batches")


def _top(values: np.ndarray, n: int) -> np.ndarray:
    valid = np.sort(values[~np.isnan(values)])
    if len(valid) == 0:
        return np.zeros(len(values), dtype=bool)
    return np.nan_to_num(values, nan=-np.inf) >= valid[-min(n, len(valid))]
