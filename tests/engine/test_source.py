"""Rows of a matrix, dense or sparse, against SciPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext.engine.source import DenseSource, SparseSource, Subset, as_source, gene_moments

CPU = torch.device("cpu")


def random_matrix(n: int, g: int, density: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    dense = rng.gamma(1.0, size=(n, g)).astype(np.float32) * (rng.random((n, g)) < density)
    dense[rng.random(n) < 0.2] = 0  # some cells without any count
    return dense


def unsorted(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """The same matrix, the entries of each row stored from the last gene to the first."""
    indices, data = matrix.indices.copy(), matrix.data.copy()
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        indices[start:stop] = indices[start:stop][::-1].copy()
        data[start:stop] = data[start:stop][::-1].copy()
    return sparse.csr_matrix((data, indices, matrix.indptr), shape=matrix.shape)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 30),
    g=st.integers(1, 30),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 999),
    kind=st.sampled_from(["csr_matrix", "csr_array", "unsorted", "int64", "dense", "fortran"]),
    data=st.data(),
)
def test_rows_are_those_of_the_matrix(n, g, density, seed, kind, data) -> None:
    expected = random_matrix(n, g, density, seed)
    index = data.draw(st.lists(st.integers(0, n - 1), max_size=40))  # unordered, with repeats, maybe empty
    matrix = sparse.csr_matrix(expected)
    if kind == "csr_array":
        matrix = sparse.csr_array(expected)
    elif kind == "unsorted":
        matrix = unsorted(matrix)
    elif kind == "int64":
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    elif kind in {"dense", "fortran"}:
        matrix = expected if kind == "dense" else np.asfortranarray(expected)
    source = as_source(matrix, CPU)
    assert source.shape == (n, g)
    rows = source.rows(torch.tensor(index, dtype=torch.long))
    assert rows.dtype == torch.float32
    assert rows.shape == (len(index), g)
    assert np.array_equal(rows.numpy(), expected[index])


def test_the_kind_of_source() -> None:
    assert isinstance(as_source(np.zeros((2, 2), dtype=np.float32), CPU), DenseSource)
    assert isinstance(as_source(sparse.csr_matrix((2, 2), dtype=np.float32), CPU), SparseSource)
    assert isinstance(as_source(sparse.csr_array((2, 2), dtype=np.float32), CPU), SparseSource)


@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.uint8])
def test_other_types_become_float32(dtype) -> None:
    expected = np.random.default_rng(0).integers(0, 200, size=(6, 5)).astype(dtype)
    for matrix in (expected, sparse.csr_matrix(expected)):
        rows = as_source(matrix, CPU).rows(torch.arange(6))
        assert rows.dtype == torch.float32
        assert np.array_equal(rows.numpy(), expected)


@pytest.mark.parametrize("convert", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_minibatch_is_no_window_into_the_data(convert) -> None:
    expected = random_matrix(6, 5, 0.5, 0)
    matrix = convert(expected)
    source = as_source(matrix, CPU)
    source.rows(torch.arange(6)).zero_()
    assert np.array_equal(source.rows(torch.arange(6)).numpy(), expected)
    # ... nor is the source one into the caller's matrix
    (matrix if isinstance(matrix, np.ndarray) else matrix.data)[:] = 7
    assert np.array_equal(source.rows(torch.arange(6)).numpy(), expected)


@pytest.mark.parametrize("convert", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
def test_some_of_the_rows(convert) -> None:
    expected = random_matrix(9, 5, 0.8, 0)
    cells = [7, 2, 2, 8]
    subset = Subset(as_source(convert(expected), CPU), torch.tensor(cells))
    assert subset.shape == (4, 5)
    for index in ([0, 1, 2, 3], [3, 0, 0], []):
        rows = subset.rows(torch.tensor(index, dtype=torch.long))
        assert np.array_equal(rows.numpy(), expected[cells][index])


def test_read_only_input_is_fine() -> None:
    expected = random_matrix(6, 5, 0.5, 0)
    matrix = sparse.csr_matrix(expected)
    for array in (expected, matrix.data, matrix.indices, matrix.indptr):
        array.setflags(write=False)
    for m in (expected, matrix):
        assert np.array_equal(as_source(m, CPU).rows(torch.arange(6)).numpy(), expected)
        assert gene_moments(m)[0].shape == (5,)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 40), g=st.integers(1, 20), density=st.sampled_from([0.0, 0.2, 1.0]), seed=st.integers(0, 999))
def test_gene_moments_are_those_of_numpy(n, g, density, seed) -> None:
    dense = random_matrix(n, g, density, seed)
    for matrix in (dense, sparse.csr_matrix(dense), sparse.csr_array(dense), unsorted(sparse.csr_matrix(dense))):
        mean, std = gene_moments(matrix)
        assert mean.dtype == std.dtype == np.float32
        assert mean == pytest.approx(dense.astype(np.float64).mean(0), rel=1e-5, abs=1e-7)
        assert std == pytest.approx(dense.astype(np.float64).std(0, ddof=1), rel=1e-5, abs=1e-7)


def test_moments_of_one_cell_and_of_a_constant_gene() -> None:
    mean, std = gene_moments(np.array([[1.0, 2.0]], dtype=np.float32))
    assert mean.tolist() == [1, 2]
    assert std.tolist() == [0, 0]
    constant = np.full((7, 2), 0.1, dtype=np.float32)
    for matrix in (constant, sparse.csr_matrix(constant)):
        assert gene_moments(matrix)[1].tolist() == [0, 0]


def test_moments_do_not_lose_digits() -> None:
    # A small spread on a large mean: in float32 the variance would be gone.
    dense = (1000 + np.random.default_rng(0).normal(0, 0.01, size=(5000, 3))).astype(np.float32)
    expected = dense.astype(np.float64).std(0, ddof=1)
    for matrix in (dense, sparse.csr_matrix(dense)):
        assert gene_moments(matrix)[1] == pytest.approx(expected, rel=1e-3)


def test_a_sparse_matrix_is_never_made_dense(monkeypatch) -> None:
    # Dense, this one would take four terabytes.
    n = 1_000_000
    rng = np.random.default_rng(0)
    row, gene = rng.choice(n, 2000, replace=False), rng.integers(0, n, 2000)
    matrix = sparse.csr_matrix((np.ones(2000, dtype=np.float32), (row, gene)), shape=(n, n))

    def refuse(self, *args, **kwargs):
        raise AssertionError("a whole matrix was made dense")

    for kind in (sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.csc_array):
        for name in ("toarray", "todense"):
            monkeypatch.setattr(kind, name, refuse)
    rows = as_source(matrix, CPU).rows(torch.from_numpy(row[:3]))
    assert [int(r.nonzero()) for r in rows] == gene[:3].tolist()
    mean, _ = gene_moments(matrix)
    assert float(mean.sum(dtype=np.float64)) == pytest.approx(2000 / n)
