"""How alike neighbours that were found with some genes are in other genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.neighbors import NearestNeighbors

from scclr_ext.engine.components import principal_components
from scclr_ext.engine.moments import gene_moments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    Choose = Callable[[NDArray[np.int64], int], NDArray[np.int64]]

_CLIP = 10.0


def held_out_scores(
    values: np.ndarray | sparse.csr_matrix | sparse.csr_array,
    numbers: Sequence[int],
    choose: Choose,
    *,
    genes: NDArray[np.int64],
    n_splits: int,
    n_neighbors: int,
    random_state: int,
) -> NDArray[np.float64]:
    """Score numbers of genes by how alike the neighbours found with them are in genes they were not found with.

    Genes are split into two random halves. From one half the best `n / 2` genes are taken and cells are embedded by a
    PCA of them. Moran's I of genes of the other half on the graph of nearest neighbours says how much of their
    variance cells share with their neighbours; then the halves change places.

    Parameters
    ----------
    values
        Log-normalised values, shape ``(cells, genes)``.
    numbers
        Numbers of genes to score, ascending.
    choose
        Given some genes (their columns) and a number, returns the best of them, that many at most.
    genes
        Columns that may be chosen.
    n_splits
        Random splits.
    n_neighbors
        Neighbours of a cell.
    random_state
        Seed of the splits.

    Returns
    -------
    Moran's I, a row per split and half, a column per number: 0 where neighbours are no more alike than any cells, 1
    where they are the same. The genes that are looked at are the same for all numbers: of the other half the best,
    as many as the largest number gives it, standardised.
    """
    rng = np.random.default_rng(random_state)
    scores = []
    for _ in range(n_splits):
        halves = np.array_split(rng.permutation(genes), 2)
        for seen, hidden in (halves, halves[::-1]):
            target = _standardized(values[:, choose(np.sort(hidden), _half(numbers[-1]))])
            scores.append(
                [
                    _morans_i(target, _embed(values[:, choose(np.sort(seen), _half(n))], random_state), n_neighbors)
                    for n in numbers
                ]
            )
    return np.array(scores)


def _half(n: int) -> int:
    return max(1, n // 2)


def _embed(values: np.ndarray | sparse.csr_matrix | sparse.csr_array, random_state: int) -> np.ndarray:
    return principal_components(values, *gene_moments(values), random_state).rep


def _standardized(values: np.ndarray | sparse.csr_matrix | sparse.csr_array) -> np.ndarray:
    mean, std = gene_moments(values)
    dense = values if isinstance(values, np.ndarray) else values.toarray()
    return np.clip((dense - mean) / np.where(std > 0, std, 1.0), -_CLIP, _CLIP).astype(np.float32)


def _morans_i(target: np.ndarray, rep: np.ndarray, n_neighbors: int) -> float:
    """Moran's I of centred values on the graph of each cell's neighbours (itself left out), all genes together."""
    k = min(n_neighbors, len(rep) - 1)
    graph = NearestNeighbors(n_neighbors=k).fit(rep).kneighbors_graph()
    total = float((target.astype(np.float64) ** 2).sum())
    return float(((graph @ target) * target).sum(dtype=np.float64)) / (k * total) if total > 0 else 0.0
