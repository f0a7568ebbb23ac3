"""What is linear in the cells: their principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from scclr_ext.engine.moments import gene_moments
from scclr_ext.engine.signal import signal_shares

if TYPE_CHECKING:
    from scipy import sparse

_COMPONENTS = 50
_CLIP = 10.0


class Components(NamedTuple):
    """Scores of the cells, shape ``(cells, components)``, and axes, ``(components, genes)``; float32."""

    rep: np.ndarray
    axes: np.ndarray
    weights: np.ndarray
    """Of each, ``(components,)``: with it the scores have the variance of their signal. All one where none is seen."""


def principal_components(
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array, mean: np.ndarray, std: np.ndarray, random_state: int
) -> Components:
    """PCA of the standardised genes, clipped at 10; sparse stays sparse."""
    scale = np.where(std > 0, std, 1.0)
    limit = (_CLIP + mean / scale).astype(np.float32)
    if isinstance(matrix, np.ndarray):
        scaled = np.minimum(matrix / scale, limit)
    else:
        scaled = matrix.copy()
        scaled.data = np.minimum(matrix.data / scale[matrix.indices], limit[matrix.indices]).astype(np.float32)
    n_components = min(_COMPONENTS, *(n - 1 for n in matrix.shape))
    if n_components < 1 or not std.any():
        n_cells, n_genes = matrix.shape  # all cells are alike
        rep, axes = np.zeros((n_cells, 1), dtype=np.float32), np.zeros((1, n_genes), dtype=np.float32)
        return Components(rep, axes, np.ones(1, dtype=np.float32))
    random_state %= 2**32  # the largest seed scikit-learn takes
    # arpack centres sparse data without making it dense
    pca = PCA(n_components, svd_solver="arpack", random_state=random_state)
    rep = pca.fit_transform(scaled)
    n_cells = len(rep)
    gene_variances = gene_moments(scaled)[1].astype(np.float64) ** 2 * (1 - 1 / n_cells)  # over n, as the scores' are
    shares = signal_shares(rep.var(axis=0, dtype=np.float64), pca.components_, gene_variances, n_cells)
    weights = np.sqrt(shares) if shares.any() else np.ones_like(shares)
    return Components(*(values.astype(np.float32) for values in (rep, pca.components_, weights)))
