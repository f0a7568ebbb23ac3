"""Values of an AnnData: as they are, in memory, checked."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from anndata_state import freeze
from scclr_ext._values import matrix as _matrix
from scclr_ext._values.matrix import apart, chunks, get_matrix, to_memory

VALUES = np.array([[0.0, 1.5, 0.0], [2.0, 0.0, 3.0]])


def test_get_matrix_takes_the_layer_or_x(counts) -> None:
    counts.layers["other"] = other = sparse.csr_matrix(counts.shape, dtype=np.float32)
    assert get_matrix(counts, None) is counts.X
    assert get_matrix(counts, "other") is other
    with pytest.raises(KeyError, match=r"layer='nope'.*found 'other'"):
        get_matrix(counts, "nope")


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_get_matrix_makes_places_and_row_starts_of_one_type_without_copying(counts, kind) -> None:
    matrix = kind(counts.X)
    matrix.indptr = matrix.indptr.astype(np.int64)  # as anndata reads them from a file
    counts.X = matrix
    assert counts.X.indices.dtype != counts.X.indptr.dtype
    made = get_matrix(counts, None)
    assert made.indices.dtype == made.indptr.dtype == np.int32
    assert type(made) is kind
    assert np.shares_memory(made.indices, counts.X.indices)
    assert np.shares_memory(made.data, counts.X.data)
    assert abs(made - matrix).max() == 0


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_get_matrix_makes_places_as_large_as_row_starts_must_be(counts, monkeypatch, kind) -> None:
    matrix = kind(counts.X)
    matrix.indptr = matrix.indptr.astype(np.int64)
    counts.X = matrix
    monkeypatch.setattr(_matrix, "_MOST_PLACES", matrix.nnz - 1)
    made = get_matrix(counts, None)
    assert made.indices.dtype == made.indptr.dtype == np.int64
    assert counts.X.indices.dtype == np.int32
    assert type(made) is kind
    assert np.shares_memory(made.data, counts.X.data)
    assert abs(made - matrix).max() == 0


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_what_shares_memory_is_copied(kind, dtype) -> None:
    matrix = kind(VALUES.astype(dtype))
    values = to_memory(matrix, where="X")
    found = apart(values, matrix)
    shared = dtype == np.float32 and kind is not sparse.csc_matrix
    assert (found is values) == (not shared)
    before = matrix.copy()
    (found if isinstance(found, np.ndarray) else found.data)[:] = 9
    assert abs(matrix - before).max() == 0


def test_places_are_copied_where_they_are_shared() -> None:
    matrix = sparse.csr_matrix(VALUES)
    values = sparse.csr_matrix((matrix.data.copy(), matrix.indices, matrix.indptr), shape=matrix.shape)
    assert not np.shares_memory(apart(values, matrix).indices, matrix.indices)


def test_of_unknown_matrices_values_are_copied() -> None:
    values = VALUES.copy()
    assert not np.shares_memory(apart(values, object()), values)


# to_memory


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.coo_array, np.array])
def test_to_memory_gives_float32_rows(kind) -> None:
    made = to_memory(kind(VALUES), where="here")
    assert made.dtype == np.float32
    assert isinstance(made, np.ndarray) or made.format == "csr"
    np.testing.assert_array_equal(made.toarray() if sparse.issparse(made) else made, VALUES)


def test_to_memory_reads_files(tmp_path) -> None:
    for name, kind in (("sparse", sparse.csr_matrix), ("dense", np.array)):
        ad.AnnData(kind(VALUES)).write_h5ad(path := tmp_path / f"{name}.h5ad")
        backed = ad.read_h5ad(path, backed="r")
        made = to_memory(backed.X, where="here")
        backed.file.close()
        np.testing.assert_array_equal(made.toarray() if sparse.issparse(made) else made, VALUES)
        assert made.dtype == np.float32


def test_masked_values_count_as_zero() -> None:
    masked = np.ma.MaskedArray(VALUES, mask=VALUES == 3)
    np.testing.assert_array_equal(to_memory(masked, where="here"), np.where(VALUES == 3, 0, VALUES))


def test_repeated_entries_are_summed_in_a_copy() -> None:
    twice = sparse.csr_matrix((np.array([1.0, 2.0], np.float32), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
    before = freeze(twice)
    np.testing.assert_array_equal(to_memory(twice, where="here").toarray(), [[0, 3, 0]])
    assert freeze(twice) == before


@pytest.mark.parametrize("place", [0, 6, 11])
def test_every_piece_is_checked(monkeypatch, place) -> None:
    monkeypatch.setattr(_matrix, "_CHUNK", 5)
    values = np.ones((3, 4), dtype=np.float32)
    assert [len(part) for part in chunks(values)] == [5, 5, 2]
    values.flat[place] = np.nan
    for matrix in (values, sparse.csr_matrix(values)):
        with pytest.raises(ValueError, match="here holds NaN"):
            to_memory(matrix, where="here")


def test_to_memory_wants_numbers() -> None:
    with pytest.raises(TypeError, match="here holds <U1 values"):
        to_memory(np.array([["a"]]), where="here")


# batch_codes


def test_a_layer_by_the_name_of_x_is_refused(counts) -> None:
    counts.layers["X"] = counts.X.copy()
    with pytest.raises(ValueError, match="'X' would be taken for adata.X"):
        get_matrix(counts, "X")
