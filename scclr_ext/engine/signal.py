"""How much of each principal component is signal, and how much is noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOSTLY_SIGNAL = 0.5


def signal_shares(
    variances: NDArray[np.float64], axes: np.ndarray, gene_variances: NDArray[np.float64], n_cells: int
) -> NDArray[np.float64]:
    """Estimate the squared correlation of each component's scores with what they were without noise.

    Noise is what the components that are mostly signal leave of each gene's variance. It alone would give components
    of a variance up to `noise_edge`; how far above it one is says how much of it is signal (`share_above`). The more
    components are mostly signal, the less noise is left, and so on until none is added.

    Parameters
    ----------
    variances
        Of the components' scores, from the largest to the smallest, shape ``(components,)``.
    axes
        Of the components, of length one, shape ``(components, genes)``.
    gene_variances
        Of the values that the components were made of, shape ``(genes,)``.
    n_cells
        Cells that they were made of.
    """
    genes_per_cell = int((gene_variances > 0).sum()) / n_cells
    explained = np.asarray(variances)[:, None] * axes.astype(np.float64) ** 2
    shares = np.zeros(len(variances))
    known = -1
    while known < (found := int((shares > _MOSTLY_SIGNAL).sum())) < n_cells - 1 and genes_per_cell > 0:
        known = found
        # Components fit noise, too: each takes one of the cells' degrees of freedom.
        noise = (gene_variances - explained[:known].sum(axis=0)) * n_cells / (n_cells - 1 - known)
        edge = max(noise_edge(noise.clip(min=0), n_cells), np.finfo(float).eps * gene_variances.max())
        shares = share_above(np.asarray(variances) / edge, genes_per_cell)
    return shares


def noise_edge(gene_variances: NDArray[np.float64], n_cells: int) -> float:
    """Return the largest variance of a component of independent genes, in the limit of many cells and genes.

    With variances of one it is (1 + sqrt(genes / cells))² (Marchenko & Pastur 1967). In general it is the least that
    -1/m + sum(v / (1 + v m)) / cells comes to for m from -1 / max(v) to 0 (Silverstein & Choi 1995, *Journal of
    Multivariate Analysis* 54, 295).
    """
    largest = float(gene_variances.max(initial=0.0))
    if largest == 0:
        return 0.0
    share = gene_variances[gene_variances > 0] / largest

    def above(s: float) -> float:
        return 1 / s + float((share / (1 - s * share)).sum()) / n_cells

    return largest * float(minimize_scalar(above, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).fun)


def share_above(ratio: NDArray[np.float64], genes_per_cell: float) -> NDArray[np.float64]:
    """Return how much of a component's scores is signal, from its variance relative to the edge of noise.

    A direction of variance 1 + x amid noise of variance one gives scores of variance (1 + x) (1 + c / x), whose squared
    correlation with the true ones is (x² - c) / (x² + x), where c is `genes_per_cell` (Benaych-Georges & Nadakuditi
    2012, *Journal of Multivariate Analysis* 111, 120). At the edge, and below, it is 0.
    """
    variance = np.maximum(ratio, 1) * (1 + np.sqrt(genes_per_cell)) ** 2
    twice = variance - 1 - genes_per_cell
    x = (twice + np.sqrt(np.maximum(twice**2 - 4 * genes_per_cell, 0))) / 2
    return np.clip((1 - genes_per_cell / x**2) / (1 + 1 / x), 0, 1)
