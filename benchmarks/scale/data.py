"""Simulated cells on disk: Splat for the first of them, thinned counts of these for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np

from scclr_ext.datasets import simulate_cells
from scclr_ext.datasets._h5ad import write_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scipy import sparse

GROUPS, BATCHES = 20, 4
_ROWS = 2048
_KEPT = 0.8
"""A thinned cell keeps each count with this chance: a cell of the same kind, sequenced less deeply."""


def make(path: Path, n_cells: int, n_genes: int, n_simulated: int) -> None:
    """Write `n_cells` cells to an h5ad file, of which `n_simulated` are simulated, with about 3 600 counts each.

    The simulated ones are kept beside it, for the next file. Simulating takes 0.6 ms of one core per cell with 20 000
    genes, thinning the counts of a cell a tenth of that.
    """
    n_simulated = min(n_simulated, n_cells)
    base = path.with_name(f"simulated_{n_simulated}x{n_genes}.h5ad")
    if not base.exists():
        simulate_cells(
            n_simulated,
            n_genes,
            n_groups=GROUPS,
            n_batches=BATCHES,
            lib_loc=8.2,
            lib_scale=0.4,
            de_prob=0.05,
            path=base,
            n_jobs=2,
            progress=False,
        )
    source = ad.read_h5ad(base, backed="r")
    rows = np.arange(n_cells) % n_simulated
    obs = source.obs[["group", "batch"]].iloc[rows].set_axis([f"cell{i}" for i in range(n_cells)])
    write_chunks(path, _thinned(source, n_cells), obs=obs, var=source.var, uns=lambda *_: {}, compression=None)
    source.file.close()


def _thinned(source: ad.AnnData, n_cells: int) -> Iterator[tuple[sparse.csr_matrix, int]]:
    rng = np.random.default_rng(0)
    matrix, done = source.X, 0
    while done < n_cells:
        for start in range(0, source.n_obs, _ROWS):
            cells = matrix[start : min(start + _ROWS, source.n_obs, start + n_cells - done)]
            if done >= source.n_obs:
                cells.data = _thin(cells.data, rng)
                cells.eliminate_zeros()
            yield cells, 0
            done += cells.shape[0]
            if done == n_cells:
                return


def _thin(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kept = (rng.random(len(counts), dtype=np.float32) < _KEPT).astype(np.float32)  # most counts are 1
    many = np.flatnonzero(counts > 1)
    kept[many] = rng.binomial(counts[many].astype(np.int64), _KEPT)
    return kept
