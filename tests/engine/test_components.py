"""What is linear in the cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scclr_ext.engine import components
from scclr_ext.engine.components import principal_components
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


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize(("n_cells", "n_genes"), [(400, 100), (300, 1200)])
def test_weights_say_how_much_is_signal(convert, n_cells, n_genes) -> None:
    rng = np.random.default_rng(0)
    noise = rng.gamma(1.0, size=(n_cells, n_genes)).astype(np.float32)

    def weights(values: np.ndarray) -> np.ndarray:
        return principal_components(convert(values), *gene_moments(values), 0).weights

    assert not weights(noise).any()
    groups = np.eye(16)[rng.integers(0, 16, n_cells)]  # 15 directions
    more = groups @ (rng.random((16, n_genes)) < 0.2)
    found = weights((noise + 3 * more).astype(np.float32))
    assert found.dtype == np.float32
    assert (found[:15] > 0.75).all()
    assert (found[15:] < 0.5).all()


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("spread", [0.0, 0.2])
def test_no_component_of_pure_noise_counts(convert, spread) -> None:
    rng = np.random.default_rng(1)
    values = (rng.normal(0.0, 1.0, (600, 300)) * rng.lognormal(0, spread, (600, 1)) + 5).astype(np.float32)
    assert not principal_components(convert(values), *gene_moments(values), 0).weights.any()


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_of_many_cells_they_are_those_of_scikit_learn(convert, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    values = np.log1p(rng.poisson(np.exp(rng.normal(size=(700, 6)) @ rng.normal(0, 0.6, (6, 90))))).astype(np.float32)
    values[:, 7] = 0
    moments = gene_moments(values)
    few = [principal_components(convert(values), *moments, 0)]
    monkeypatch.setattr(components, "_MOST_GENES", 0)
    few.append(principal_components(convert(values), *moments, 0))
    quick, usual = few
    assert quick.rep.dtype == quick.axes.dtype == np.float32
    clear = usual.rep.std(axis=0) > 1.05 * usual.rep.std(axis=0)[-1]  # those that others do not mix with
    assert clear.sum() >= 6
    assert np.abs(quick.rep - usual.rep)[:, clear].max() < 0.01 * usual.rep.std()
    assert quick.axes[clear] == pytest.approx(usual.axes[clear], abs=0.01)
    assert quick.rep.std(axis=0) == pytest.approx(usual.rep.std(axis=0), rel=1e-3)
    assert quick.weights == pytest.approx(usual.weights, abs=0.01)
