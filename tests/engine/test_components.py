"""What is linear in the cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scclr_ext.engine.components import principal_components, signal_components
from scclr_ext.engine.moments import gene_moments


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_principal_components_against_a_singular_value_decomposition(convert) -> None:
    dense = np.log1p(np.random.default_rng(0).poisson(1.0, size=(40, 12))).astype(np.float32)
    dense[:, 5] = 0  # a gene that never varies
    dense[3, 7] = 80  # ... and one that is clipped
    mean, std = gene_moments(dense)
    z = np.minimum((dense.astype(float) - mean) / np.where(std > 0, std, 1), 10)
    z -= z.mean(0)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    found = principal_components(convert(dense), mean, std, 0).rep
    assert found.dtype == np.float32
    assert found.shape == (40, 11)
    assert np.abs(found) == pytest.approx(np.abs(u * s)[:, :11], abs=2e-3)
    assert np.array_equal(principal_components(convert(dense), mean, std, 0).rep, found)


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (3, 3), (5, 1)])
def test_principal_components_of_very_little(shape) -> None:
    dense = np.random.default_rng(0).gamma(1.0, size=shape).astype(np.float32)
    found = principal_components(sparse.csr_matrix(dense), *gene_moments(dense), 0).rep
    assert len(found) == shape[0]
    assert np.isfinite(found).all()


@pytest.mark.parametrize(("n_cells", "n_genes"), [(400, 100), (150, 600)])
def test_signal_components_are_those_above_noise(n_cells, n_genes) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_cells, n_genes)).astype(np.float32)

    def kept(values: np.ndarray) -> int:
        mean, std = gene_moments(values)
        return signal_components(principal_components(values, mean, std, 0).rep, n_genes).shape[1]

    assert kept(noise) == 10  # none stands out
    planted = np.linalg.qr(rng.normal(size=(n_genes, 15)))[0] * 4 * np.sqrt(n_genes / 100)
    assert kept(noise + (rng.normal(size=(n_cells, 15)) @ planted.T).astype(np.float32)) == 15


def test_signal_components_of_many_cells_are_all() -> None:
    rep = np.random.default_rng(0).normal(size=(5000, 30)) * np.linspace(3, 1.2, 30)
    assert signal_components(rep, 10).shape == (5000, 30)
    assert signal_components(rep, 5000).shape == (5000, 17), "a variance above four, a standard deviation above two"
