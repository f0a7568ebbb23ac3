"""What is linear in the cells: their principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

if TYPE_CHECKING:
    from scipy import sparse

_COMPONENTS = 50
_CLIP = 10.0
_FEWEST = 10
"""Components that are kept as signal in any case: the first few may be all that a data set full of zeros shows."""


class Components(NamedTuple):
    """Scores of the cells, shape ``(cells, components)``, and axes, ``(components, genes)``; float32."""

    rep: np.ndarray
    axes: np.ndarray


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
        return Components(np.zeros((n_cells, 1), dtype=np.float32), np.zeros((1, n_genes), dtype=np.float32))
    random_state %= 2**32  # the largest seed scikit-learn takes
    # arpack centres sparse data without making it dense
    pca = PCA(n_components, svd_solver="arpack", random_state=random_state)
    rep = pca.fit_transform(scaled)
    return Components(rep.astype(np.float32), pca.components_.astype(np.float32))


def signal_components(rep: np.ndarray, n_genes: int) -> np.ndarray:
    """Keep the components that stand out of noise, and the first ten in any case.

    Those whose variance is more than the largest that independent genes of variance one would give,
    (1 + sqrt(genes / cells))² (Marchenko & Pastur 1967, *Mathematics of the USSR-Sbornik* 1, 457). With the cells
    that edge falls to one: large data sets keep all components.

    Parameters
    ----------
    rep
        Scores of the components in the order of their variance, shape ``(cells, components)``.
    n_genes
        Standardised genes that they were made of, leaving out those that do not vary.
    """
    edge = (1 + np.sqrt(n_genes / len(rep))) ** 2
    return rep[:, : max(int((rep.var(axis=0) > edge).sum()), _FEWEST)]
