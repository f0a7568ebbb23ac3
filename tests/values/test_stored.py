"""Rows of matrices that are not in memory, against the same rows of those that are."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scclr_ext._values import stored as module
from scclr_ext._values.normalize import library_sizes, log_normalize
from scclr_ext._values.stored import StoredRows, is_stored
from scclr_ext.engine import hold
from stored import PLACES, stored

VALUES = np.random.default_rng(0).poisson(0.6, (120, 9)).astype(np.float32)
KINDS = {"sparse": sparse.csr_matrix, "dense": np.asarray}
GENES = np.array([0, 3, 4, 8])


def dense(matrix) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(hold, "block_rows", lambda n_genes: 16)
    monkeypatch.setattr(module, "block_rows", lambda n_genes: 16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_rows_are_those_in_memory(tmp_path, place, kind) -> None:
    with stored(ad.AnnData(KINDS[kind](VALUES)), place, tmp_path) as adata:
        assert is_stored(adata.X)
        everything, some = StoredRows(adata.X, where="here"), StoredRows(adata.X, where="here", genes=GENES)
        assert everything.shape == (120, 9)
        assert some.shape == (120, 4)
        rng = np.random.default_rng(0)
        for size in (1, 5, 60, 119, 120):
            cells = np.sort(rng.choice(120, size, replace=False))
            made = everything.read(cells)
            assert made.dtype == np.float32
            assert isinstance(made, np.ndarray) == (kind == "dense")
            np.testing.assert_array_equal(dense(made), VALUES[cells])
            np.testing.assert_array_equal(dense(some.read(cells)), VALUES[np.ix_(cells, GENES)])
        assert everything.seen.units == "counts"


class Spy:
    """Rows of an array; remembers which were asked for."""

    def __init__(self, values) -> None:
        self.shape, self._values, self.reads = values.shape, values, []

    def __getitem__(self, rows: slice):
        self.reads.append((rows.start, rows.stop))
        return self._values[rows]


@settings(max_examples=100, deadline=None)
@given(cells=st.sets(st.integers(0, 119), min_size=1), gap=st.integers(1, 20))
def test_reads_are_contiguous_and_in_order(cells, gap) -> None:
    cells = np.array(sorted(cells))
    spy = Spy(sparse.csr_matrix(VALUES))
    before, module._GAP = module._GAP, gap
    try:
        np.testing.assert_array_equal(StoredRows(spy, where="here").read(cells).toarray(), VALUES[cells])
    finally:
        module._GAP = before
    assert all(low < high <= after for (low, high), (after, _) in zip(spy.reads, spy.reads[1:], strict=False))
    assert max(high - low for low, high in spy.reads) <= 16  # a block, whatever is thrown away of it
    assert sum(high - low for low, high in spy.reads) <= gap * len(cells)
    n_gaps = int((np.diff(cells) > gap).sum())
    n_whole = (cells[-1] - cells[0]) // 16
    assert len(spy.reads) <= 2 * n_gaps + 1 + n_whole + len(cells) // 16


def test_normalised_on_the_way() -> None:
    factor = np.linspace(1, 5, 120).astype(np.float32)
    for convert in KINDS.values():
        rows = StoredRows(Spy(convert(VALUES)), where="here", genes=GENES)
        rows.change = lambda part, whole, cells: log_normalize(part, factor[cells] / library_sizes(whole).clip(1))
        cells = np.array([3, 4, 70, 119])
        scale = factor[cells] / VALUES[cells].sum(axis=1).clip(1)
        expected = np.log1p(VALUES[np.ix_(cells, GENES)] * scale[:, None])
        np.testing.assert_allclose(dense(rows.read(cells)), expected, rtol=1e-5)
        assert rows.seen.units == "counts"
    np.testing.assert_array_equal(VALUES, np.rint(VALUES))  # the input was left alone


def test_a_chunk_of_dask_is_computed_once() -> None:
    import dask.array as da

    computed = []

    def load(block, block_info=None):
        if block_info:
            computed.append(block_info[0]["chunk-location"][0])
        return block

    lazy = da.from_array(VALUES, chunks=(50, 9)).map_blocks(load, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    rows = StoredRows(lazy, where="here")
    for start in range(0, 120, 20):
        np.testing.assert_array_equal(rows.read(np.arange(start, start + 20)), VALUES[start : start + 20])
    assert computed == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_of_dask_is_not_changed(kind) -> None:
    import dask.array as da

    values = KINDS[kind](VALUES)
    lazy = da.map_blocks(lambda block: values, np.zeros((120, 9), np.float32), chunks=((120,), (9,)), meta=values[:0])
    rows = StoredRows(lazy, where="here")
    for _ in range(2):
        block = rows.read(np.arange(40))
        np.testing.assert_array_equal(dense(block), VALUES[:40])
        (block if kind == "dense" else block.data)[:] = 7
    np.testing.assert_array_equal(dense(values), VALUES)


@pytest.mark.parametrize(("value", "error"), [(np.nan, ValueError), (np.inf, ValueError)])
def test_what_is_no_number_is_refused_where_it_is_read(value, error) -> None:
    values = VALUES.copy()
    values[100, 3] = value
    rows = StoredRows(Spy(values), where="adata.X")
    rows.read(np.arange(100))
    with pytest.raises(error, match=r"adata.X holds NaN or infinite"):
        rows.read(np.arange(120))
    StoredRows(Spy(values), where="adata.X", genes=np.array([0, 1])).read(np.arange(120))


def test_look_goes_on_until_there_is_a_value() -> None:
    values = VALUES + 0.5
    values[:90] = 0
    rows = StoredRows(Spy(values), where="here")
    rows.look()
    assert rows.seen.units == "log-normalized"
    empty = StoredRows(Spy(np.zeros((40, 3), dtype=np.float32)), where="here")
    empty.look()
    assert empty.seen.empty


def test_what_is_stored(tmp_path) -> None:
    assert not any(is_stored(convert(VALUES)) for convert in (*KINDS.values(), sparse.csc_matrix, sparse.csr_array))
    with stored(ad.AnnData(sparse.csc_matrix(VALUES)), "h5ad", tmp_path) as adata:
        assert not is_stored(adata.X)  # its rows cannot be read without reading it all
