"""How many principal components are more signal than noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_signal(
    variances: NDArray[np.float64], axes: np.ndarray, gene_variances: NDArray[np.float64], n_cells: int
) -> int:
    """Count the components whose scores are at least half signal.

    Noise is what the components counted so far leave of each gene's variance. It alone would give components of a
    variance up to `noise_edge`; those above `half_signal` times that are counted, which leaves less noise, and so on
    until none is added.

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
    factor = half_signal(int((gene_variances > 0).sum()) / n_cells)
    explained = np.asarray(variances)[:, None] * axes.astype(np.float64) ** 2
    n_signal = 0
    while n_signal < min(len(variances), n_cells - 2):
        # Components fit noise, too: each takes one of the cells' degrees of freedom.
        noise = (gene_variances - explained[:n_signal].sum(axis=0)) * n_cells / (n_cells - 1 - n_signal)
        found = int((variances > factor * noise_edge(noise.clip(min=0), n_cells)).sum())
        if found <= n_signal:
            break
        n_signal = found
    return n_signal


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


def half_signal(genes_per_cell: float) -> float:
    """Return how far above the edge of noise a component's variance is when half of its scores is signal.

    A direction of variance 1 + x amid noise of variance one gives scores whose squared correlation with the true ones
    is (x² - c) / (x² + x), and a variance of (1 + x) (1 + c / x), where c is `genes_per_cell` (Benaych-Georges &
    Nadakuditi 2012, *Journal of Multivariate Analysis* 111, 120).
    """
    x = (1 + np.sqrt(1 + 8 * genes_per_cell)) / 2
    return float((1 + x) * (1 + genes_per_cell / x) / (1 + np.sqrt(genes_per_cell)) ** 2)
