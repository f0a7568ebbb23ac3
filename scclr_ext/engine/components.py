"""What is linear in the cells: their principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import eigh
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from scclr_ext.engine.moments import block_rows, gene_moments
from scclr_ext.engine.signal import signal_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

_COMPONENTS = 50
_CLIP = 10.0
_MOST_GENES = 5_000
"""Up to here the covariance of all pairs of genes is made, where there are cells enough."""
_CELLS_PER_GENE = 3


class Components(NamedTuple):
    """Scores of the cells, shape ``(cells, components)``, and axes, ``(components, genes)``; float32."""

    rep: np.ndarray
    axes: np.ndarray
    weights: np.ndarray
    """Of each, ``(components,)``: with it the scores have the variance of their signal. 0 where there is none."""


def principal_components(
    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array, mean: np.ndarray, std: np.ndarray, random_state: int
) -> Components:
    """PCA of the standardised genes, clipped at 10; sparse stays sparse, but for one block of cells at a time."""
    scale = np.where(std > 0, std, 1.0)
    limit = (_CLIP + mean / scale).astype(np.float32)
    if isinstance(matrix, np.ndarray):
        scaled = np.minimum(matrix / scale, limit)
    else:
        scaled = matrix.copy()
        scaled.data = np.minimum(matrix.data / scale[matrix.indices], limit[matrix.indices]).astype(np.float32)
    n_cells, n_genes = matrix.shape
    n_components = min(_COMPONENTS, n_cells - 1, n_genes - 1)
    rep: np.ndarray = np.zeros((n_cells, 1), dtype=np.float32)
    axes: np.ndarray = np.zeros((1, n_genes), dtype=np.float32)
    if n_components < 1 or not std.any():  # all cells are alike
        return Components(rep, axes, np.zeros(1, dtype=np.float32))
    centre, sd = gene_moments(scaled)
    if n_genes <= min(_MOST_GENES, n_cells / _CELLS_PER_GENE):
        axes = _axes_of_many(scaled, centre, n_components)
        rep = np.asarray(scaled @ axes.T) - centre @ axes.T
    else:
        random_state %= 2**32  # the largest seed scikit-learn takes
        # arpack centres sparse data without making it dense
        pca = PCA(n_components, svd_solver="arpack", random_state=random_state)
        rep, axes = pca.fit_transform(scaled), pca.components_
    gene_variances = sd.astype(np.float64) ** 2 * (1 - 1 / n_cells)  # over n, as the scores' are
    shares = signal_shares(rep.var(axis=0, dtype=np.float64), axes, gene_variances, _distances(scaled, centre))
    return Components(*(values.astype(np.float32) for values in (rep, axes, np.sqrt(shares))))


def _distances(scaled: np.ndarray | sparse.csr_matrix | sparse.csr_array, centre: np.ndarray) -> NDArray[np.float64]:
    """Squared distance of each cell from the mean, block by block."""
    distances, step = np.empty(scaled.shape[0]), block_rows(scaled.shape[1])
    for start in range(0, len(distances), step):
        block = scaled[start : start + step]
        around = (block if isinstance(block, np.ndarray) else block.toarray()) - centre
        distances[start : start + step] = np.einsum("ij,ij->i", around, around, dtype=np.float64)
    return distances


def _axes_of_many(
    scaled: np.ndarray | sparse.csr_matrix | sparse.csr_array, centre: np.ndarray, n_components: int
) -> np.ndarray:
    """Axes of many cells, from the covariance of the genes: one pass, where arpack takes hundreds.

    Centred in blocks in single precision, added up in double precision.
    """
    n_genes = scaled.shape[1]
    covariance = np.zeros((n_genes, n_genes))
    step = block_rows(n_genes)
    for start in range(0, scaled.shape[0], step):
        block = scaled[start : start + step]
        around = (block if isinstance(block, np.ndarray) else block.toarray()) - centre
        covariance += around.T @ around
    _, vectors = eigh(covariance, subset_by_index=(n_genes - n_components, n_genes - 1))
    axes = vectors.T[::-1].astype(np.float32)
    return svd_flip(None, axes, u_based_decision=False)[1]  # so that a sign does not hang on rounding
