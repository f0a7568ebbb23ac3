"""Means and variances, block by block, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext.engine.moments import Moments, block_rows, gene_moments, row_blocks

KINDS = [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csr_array]


def random_matrix(n: int, g: int, density: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.gamma(1.0, size=(n, g)).astype(np.float32) * (rng.random((n, g)) < density)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 40), g=st.integers(1, 20), density=st.sampled_from([0.0, 0.2, 1.0]), seed=st.integers(0, 999))
def test_gene_moments_are_those_of_numpy(n, g, density, seed) -> None:
    dense = random_matrix(n, g, density, seed)
    for kind in KINDS:
        mean, std = gene_moments(kind(dense))
        assert mean.dtype == std.dtype == np.float32
        assert mean == pytest.approx(dense.astype(np.float64).mean(0), rel=1e-6, abs=1e-9)
        assert std == pytest.approx(dense.astype(np.float64).std(0, ddof=1), rel=1e-6, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    n_groups=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 999),
    kind=st.sampled_from(KINDS),
)
def test_groups_in_blocks_of_any_size(sizes, n_groups, density, seed, kind) -> None:
    values = random_matrix(sum(sizes), 5, density, seed)
    codes = np.random.default_rng(seed).integers(0, n_groups, len(values))
    moments = Moments(5, n_groups)
    for stop, size in zip(np.cumsum(sizes), sizes, strict=True):
        moments.add(kind(values[stop - size : stop]), codes[stop - size : stop])
    for group in range(n_groups):
        members = values[codes == group].astype(np.float64)
        assert moments.n[group] == len(members)
        assert moments.seen[group].tolist() == np.count_nonzero(members, axis=0).tolist()
        if len(members) > 1:
            assert moments.mean[group] == pytest.approx(members.mean(0), rel=1e-12)
            assert moments.variance[group] == pytest.approx(members.var(0, ddof=1), rel=1e-12, abs=1e-15)


def test_stored_zeros_are_zeros() -> None:
    matrix = sparse.csr_matrix(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=np.float32))
    matrix.data[[1, 3]] = 0
    moments = Moments(2)
    moments.add(matrix)
    assert moments.seen.tolist() == [[3, 1]]
    assert moments.mean[0] == pytest.approx([3, 2])
    assert moments.variance[0] == pytest.approx([4, 12])


def test_one_cell_and_a_constant_gene() -> None:
    mean, std = gene_moments(np.array([[1.0, 2.0]], dtype=np.float32))
    assert mean.tolist() == [1, 2]
    assert std.tolist() == [0, 0]
    constant = np.full((70_000, 2), 0.1, dtype=np.float32)
    for matrix in (constant, sparse.csr_matrix(constant)):
        assert gene_moments(matrix)[1].tolist() == [0, 0]


def test_moments_do_not_lose_digits() -> None:
    # A small spread on a large mean: in float32 the variance would be gone.
    dense = (1000 + np.random.default_rng(0).normal(0, 0.01, size=(50_000, 3))).astype(np.float32)
    expected = dense.astype(np.float64).std(0, ddof=1)
    for matrix in (dense, sparse.csr_matrix(dense)):
        assert gene_moments(matrix)[1] == pytest.approx(expected, rel=1e-6)


def test_blocks_are_the_matrix() -> None:
    matrix = np.arange(3 * block_rows(2) + 10, dtype=np.float32).repeat(2).reshape(-1, 2)
    assert np.array_equal(np.concatenate(list(row_blocks(matrix))), matrix)
    assert len(list(row_blocks(matrix))) == 4
    empty = sparse.csr_matrix((10**5, 10**6), dtype=np.float32)
    assert len(list(row_blocks(empty))) == 1


@pytest.mark.parametrize("n_genes", [1, 500, 2000, 20_000, 250_000])
def test_blocks_have_a_sensible_size(n_genes) -> None:
    assert 512 <= block_rows(n_genes) <= 2**14
    assert block_rows(n_genes) * n_genes <= 2**24 or block_rows(n_genes) == 512


def test_a_gene_that_differs_by_rounding_only_is_constant() -> None:
    values = np.array([[0.5, 1e-45, 1e-13], [0.0, 0.0, 0.0], [1.0, 1e-40, 0.0]], dtype=np.float32)
    assert (gene_moments(values)[1] > 0).tolist() == [True, False, False]
