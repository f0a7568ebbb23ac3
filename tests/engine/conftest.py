"""Small matrices and generators for the tests of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

if TYPE_CHECKING:
    import anndata as ad


@pytest.fixture(scope="session")
def log_counts(_counts: ad.AnnData) -> sparse.csr_matrix:
    """The simulated counts, each cell brought to the median depth, log1p: what a method is given."""
    x = sparse.csr_matrix(_counts.X, dtype=np.float64)
    depth = np.asarray(x.sum(axis=1)).ravel()
    x = sparse.csr_matrix(sparse.diags_array(np.median(depth) / depth) @ x)
    x.data = np.log1p(x.data)
    return x.astype(np.float32)


@pytest.fixture(scope="session")
def tiny() -> np.ndarray:
    """Twenty cells, 15 genes, mostly zeros, two groups: enough for a training to run, in milliseconds."""
    rng = np.random.default_rng(3)
    rate = np.where(np.arange(15) % 2 == np.arange(20)[:, None] % 2, 3.0, 0.4)
    return np.log1p(rng.poisson(rate)).astype(np.float32)
