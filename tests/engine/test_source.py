"""Rows of a matrix, dense or sparse, against SciPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext.engine import source as module
from scclr_ext.engine.moments import gene_moments
from scclr_ext.engine.source import DenseSource, FetchedSource, InMemory, SparseDeviceSource, SparseSource, as_source

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
    sources = [as_source(matrix, CPU)]
    if sparse.issparse(matrix):
        sources.append(SparseDeviceSource(matrix, CPU))
    for source in sources:
        assert source.shape == (n, g)
        rows = source.rows(torch.tensor(index, dtype=torch.long))
        assert rows.dtype == torch.float32
        assert rows.shape == (len(index), g)
        assert np.array_equal(rows.numpy(), expected[index])


def test_the_kind_of_source() -> None:
    assert isinstance(as_source(np.zeros((2, 2), dtype=np.float32), CPU), DenseSource)
    assert isinstance(as_source(sparse.csr_matrix((2, 2), dtype=np.float32), CPU), SparseSource)
    assert isinstance(as_source(sparse.csr_array((2, 2), dtype=np.float32), CPU), SparseSource)
    elsewhere = as_source(sparse.csr_matrix((2, 2), dtype=np.float32), torch.device("meta"))
    assert isinstance(elsewhere, SparseDeviceSource)


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_a_device_without_room_for_all_cells_is_given_those_of_a_minibatch(convert, monkeypatch) -> None:
    matrix = random_matrix(40, 20, 0.3, 0)
    kept = convert(matrix)
    size = kept.nbytes if isinstance(kept, np.ndarray) else kept.data.nbytes + kept.indices.nbytes
    index = torch.tensor([5, 3, 3, 39, 0])
    for free, kind in ((2 * size, {DenseSource, SparseSource}), (2 * size - 1, {FetchedSource}), (0, {FetchedSource})):
        monkeypatch.setattr(module, "free_memory", lambda device, free=free: free)
        source = as_source(kept, CPU)
        assert type(source) in kind
        assert np.array_equal(source.rows(index).numpy(), matrix[index])


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


@pytest.mark.parametrize("convert", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
def test_values_in_memory_are_not_copied(convert) -> None:
    matrix = convert(random_matrix(6, 5, 0.5, 0))
    values = matrix if isinstance(matrix, np.ndarray) else matrix.data
    source = as_source(matrix, CPU)
    assert np.shares_memory(source._matrix.data if isinstance(source, SparseSource) else source._values, values)


@settings(max_examples=40, deadline=None)
@given(index=st.lists(st.integers(0, 8), min_size=1, max_size=30), dense=st.booleans())
def test_fetched_rows(index, dense) -> None:
    expected = random_matrix(9, 5, 0.8, 0)
    asked = []

    class Spy(InMemory):
        def read(self, cells):
            asked.append(cells.tolist())
            return super().read(cells)

    source = as_source(Spy(expected if dense else sparse.csr_matrix(expected)), CPU)
    assert isinstance(source, FetchedSource)
    assert source.shape == (9, 5)
    assert np.array_equal(source.rows(torch.tensor(index)).numpy(), expected[index])
    assert asked == [sorted(set(index))]  # ascending, each row once


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("convert", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
def test_rows_fetched_to_a_gpu_through_pinned_memory(convert) -> None:
    expected = random_matrix(40, 20, 0.3, 0)
    index = torch.tensor([5, 3, 3, 39, 0])
    source = FetchedSource(InMemory(convert(expected)), torch.device("cuda", torch.cuda.current_device()))
    for _ in range(50):  # pinned memory is used again while copies may still be under way
        assert np.array_equal(source.rows(index).cpu().numpy(), expected[index])


def test_read_only_input_is_fine() -> None:
    expected = random_matrix(6, 5, 0.5, 0)
    matrix = sparse.csr_matrix(expected)
    for array in (expected, matrix.data, matrix.indices, matrix.indptr):
        array.setflags(write=False)
    for m in (expected, matrix):
        assert np.array_equal(as_source(m, CPU).rows(torch.arange(6)).numpy(), expected)
        assert gene_moments(m)[0].shape == (5,)


def test_a_sparse_matrix_is_never_made_dense(monkeypatch) -> None:
    # Dense, this one would take four terabytes.
    n = 1_000_000
    rng = np.random.default_rng(0)
    row, gene = rng.choice(n, 2000, replace=False), rng.integers(0, n, 2000)
    matrix = sparse.csr_matrix((np.ones(2000, dtype=np.float32), (row, gene)), shape=(n, n))

    def watch(kind, name) -> None:
        original = getattr(kind, name)

        def guarded(self, *args, **kwargs):
            assert self.shape[0] <= 3, "a whole matrix was made dense"
            return original(self, *args, **kwargs)

        monkeypatch.setattr(kind, name, guarded)

    for kind in (sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.csc_array):
        for name in ("toarray", "todense"):
            watch(kind, name)
    for source in (as_source(matrix, CPU), SparseDeviceSource(matrix, CPU)):
        rows = source.rows(torch.from_numpy(row[:3]))
        assert [int(r.nonzero()) for r in rows] == gene[:3].tolist()
    mean, _ = gene_moments(matrix)
    assert float(mean.sum(dtype=np.float64)) == pytest.approx(2000 / n)
