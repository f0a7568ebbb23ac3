"""How much of each principal component is signal, and how much is noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq, minimize_scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOSTLY_SIGNAL = 0.5
_USUAL_CELLS = 0.99
"""A single cell that is far from all others says nothing of the noise in them."""
_BY_CHANCE = 1.1
"""The edge is that of very many cells; noise goes so far beyond it in two hundred."""
_FEWEST_TO_TELL = 300
"""Of fewer cells, types themselves lie as far out as noise does: with 150 and 200 of four studies' pancreas, not with
300; in twenty other studies not with 150."""


def signal_shares(
    variances: NDArray[np.float64],
    axes: np.ndarray,
    gene_variances: NDArray[np.float64],
    distances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Estimate the squared correlation of each component's scores with what they were without noise.

    Noise is what the components that are mostly signal leave of each gene's variance. It alone would give components
    of a variance up to `noise_edge`; how far above it one is says how much of it is signal (`share_above`). The more
    components are mostly signal, the less noise is left, and so on until none is added.

    Where there is nothing but noise (of so many cells that this can be told) all are 0. Whether that is so is asked
    of noise that differs between cells, as it does where some have fewer counts: it reaches further than that of
    cells that are alike. How much of a component is signal is not: fewer components count then, and among the
    neighbours in a few of them a population without types was cut into more clusters, not fewer.

    Parameters
    ----------
    variances
        Of the components' scores, from the largest to the smallest, shape ``(components,)``.
    axes
        Of the components, of length one, shape ``(components, genes)``.
    gene_variances
        Of the values that the components were made of, shape ``(genes,)``.
    distances
        Of each cell that they were made of from the mean, squared, shape ``(cells,)``.
    """
    n_cells = len(distances)
    genes_per_cell = int((gene_variances > 0).sum()) / n_cells
    explained = np.asarray(variances)[:, None] * axes.astype(np.float64) ** 2
    shares = np.zeros(len(variances))
    usual = np.minimum(distances, np.quantile(distances, _USUAL_CELLS, method="lower"))
    if not distances.any() or (
        n_cells >= _FEWEST_TO_TELL and variances[0] <= _BY_CHANCE * noise_edge(gene_variances, n_cells, usual)
    ):
        return shares
    known = -1
    while known < (found := int((shares > _MOSTLY_SIGNAL).sum())) < n_cells - 1 and genes_per_cell > 0:
        known = found
        # Components fit noise, too: each takes one of the cells' degrees of freedom.
        noise = (gene_variances - explained[:known].sum(axis=0)) * n_cells / (n_cells - 1 - known)
        edge = max(noise_edge(noise.clip(min=0), n_cells), np.finfo(float).eps * gene_variances.max())
        shares = share_above(np.asarray(variances) / edge, genes_per_cell)
    return shares


def noise_edge(
    gene_variances: NDArray[np.float64], n_cells: int, cell_variances: NDArray[np.float64] | None = None
) -> float:
    """Return the largest variance of a component of independent values, in the limit of many cells and genes.

    With variances of one it is (1 + sqrt(genes / cells))² (Marchenko & Pastur 1967). Where cells are alike it is the
    least that 1/p + sum(v / (1 - v p)) / cells comes to for p from 0 to 1 / max(v) (Silverstein & Choi 1995, *Journal
    of Multivariate Analysis* 54, 295). Where a value varies with its cell as well, by the product of both, it is the
    least x with x p = mean(a / (1 - a q)) and x q = sum(v / (1 - v p)) / cells, where a are the variances of the cells
    over their mean (from the equations in Hachem, Loubaton & Najim 2007, *Annals of Applied Probability* 17, 875).

    Parameters
    ----------
    gene_variances
        Of each gene, mean of the cells.
    n_cells
        Number of cells.
    cell_variances
        Of each cell, in any unit; None where all are alike.
    """
    largest = float(gene_variances.max(initial=0.0))
    if largest == 0:
        return 0.0
    v = gene_variances[gene_variances > 0] / largest
    a = np.ones(1) if cell_variances is None else cell_variances / cell_variances.mean()

    def variance(p: float) -> float:
        scale = float((v / (1 - v * p)).sum()) / n_cells  # x q
        if cell_variances is None:
            return 1 / p + scale
        smallest = scale * float(a.max()) * (1 + 1e-9)  # of x: beyond it 1 - a q is positive for all cells

        def excess(x: float) -> float:
            return x * p - float((a / (1 - a * scale / x)).mean())

        highest = 2 * smallest + 2 / p
        while excess(highest) < 0:
            highest *= 2
        return smallest if excess(smallest) >= 0 else float(brentq(excess, smallest, highest, rtol=1e-9))

    return largest * float(minimize_scalar(variance, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).fun)


def share_above(ratio: NDArray[np.float64], genes_per_cell: float) -> NDArray[np.float64]:
    """Return how much of a component's scores is signal, from its variance relative to the edge of noise.

    A direction of variance 1 + x amid noise of variance one gives scores of variance (1 + x) (1 + c / x), whose squared
    correlation with the true ones is (x² - c) / (x² + x), where c is `genes_per_cell` (Benaych-Georges & Nadakuditi
    2012, *Journal of Multivariate Analysis* 111, 120). At the edge, and below, it is 0.
    """
    variance = np.maximum(ratio, 1) * (1 + np.sqrt(genes_per_cell)) ** 2
    twice = variance - 1 - genes_per_cell
    x = (twice + np.sqrt(np.maximum(twice**2 - 4 * genes_per_cell, 0))) / 2
    return np.where(ratio <= 1, 0.0, np.clip((1 - genes_per_cell / x**2) / (1 + 1 / x), 0, 1))
