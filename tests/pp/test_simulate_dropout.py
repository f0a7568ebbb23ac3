"""Artificial dropout: exactly as many zeros as asked for, spread as the hypergeometric distribution says."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from anndata_state import assert_reads_back, freeze, unchanged
from scclr_ext.pp import contrastive_preprocess, simulate_dropout

SPARSE = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]
COUNTS = np.random.default_rng(0).poisson(1.2, (30, 40)) * np.linspace(1, 3, 30).astype(int)[:, None]
N_NONZERO = np.count_nonzero(COUNTS)


def dense(matrix) -> np.ndarray:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix)


@pytest.mark.parametrize("rate", [0, 0.1, 0.3, 0.6, 0.8, 0.999])
@pytest.mark.parametrize("kind", [np.array, *SPARSE])
def test_exactly_the_share_is_dropped(kind, rate) -> None:
    adata = ad.AnnData(kind(COUNTS.astype(np.float32)))
    simulate_dropout(adata, rate)
    after = dense(adata.X)
    assert np.count_nonzero(after) == N_NONZERO - round(rate * N_NONZERO)
    np.testing.assert_array_equal(after[after != 0], COUNTS[after != 0])  # what is left is as it was
    if sparse.issparse(adata.X):
        assert adata.X.nnz == np.count_nonzero(after)
    record = adata.uns["clr_dropout"]
    assert record["n_nonzero"] == N_NONZERO
    assert record["n_dropped"] == round(rate * N_NONZERO)


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_losses_per_cell_are_hypergeometric(rate) -> None:
    before = sparse.csr_matrix(COUNTS.astype(np.float32))
    adata = ad.AnnData(before)
    of_cell = np.count_nonzero(COUNTS, axis=1)
    draws = 800
    lost = []
    for i in range(draws):
        adata.X = before.copy()
        simulate_dropout(adata, rate, random_state=i)
        lost.append(of_cell - np.diff(adata.X.indptr))
    lost = np.array(lost)
    dropped = round(rate * N_NONZERO)
    assert (lost.sum(axis=1) == dropped).all()
    share = dropped / N_NONZERO
    mean = of_cell * share
    variance = mean * (1 - share) * (N_NONZERO - of_cell) / (N_NONZERO - 1)
    z = (lost.mean(axis=0) - mean) / np.sqrt(variance / draws)
    assert np.abs(z).max() < 4
    # The variance of one cell is known to 5 %, that of all cells together to less than 1 %.
    np.testing.assert_allclose(lost.var(axis=0), variance, rtol=0.25)
    assert (lost.var(axis=0) / variance).mean() == pytest.approx(1, abs=0.025)


def test_no_entry_is_spared() -> None:
    adata = ad.AnnData(np.ones((3, 4), dtype=np.float32))
    zeros = sum((simulate_dropout(adata, 0.5, random_state=i, copy=True).X == 0).astype(int) for i in range(400))
    assert np.abs(zeros / 400 - 0.5).max() < 0.1


@pytest.mark.parametrize("kind", SPARSE)
def test_one_seed_one_result_in_any_container(kind) -> None:
    reference = ad.AnnData(COUNTS.astype(np.float32))
    simulate_dropout(reference, 0.4, random_state=3)
    adata = ad.AnnData(kind(COUNTS.astype(np.float32)))
    again, other = adata.copy(), adata.copy()
    for one, seed in ((adata, 3), (again, 3), (other, 4)):
        simulate_dropout(one, 0.4, random_state=seed)
    np.testing.assert_array_equal(dense(adata.X), reference.X)
    assert freeze(adata.X) == freeze(again.X)
    assert (dense(other.X) != dense(adata.X)).any()
    fortran = ad.AnnData(np.asfortranarray(COUNTS.astype(np.float32)))
    simulate_dropout(fortran, 0.4, random_state=3)
    np.testing.assert_array_equal(fortran.X, reference.X)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "int64", "uint16", "bool"])
@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, sparse.csc_array])
def test_type_and_format_are_kept(kind, dtype) -> None:
    matrix = kind(COUNTS.astype(dtype))
    given = freeze(matrix)
    adata = ad.AnnData(matrix)
    simulate_dropout(adata, 0.3)
    assert type(adata.X) is type(matrix)
    assert adata.X.dtype == dtype
    assert np.count_nonzero(dense(adata.X)) == N_NONZERO - round(0.3 * N_NONZERO)
    assert freeze(matrix) == given  # the user's own array, which the AnnData was made of


def test_stored_zeros_and_repeated_entries_count_once() -> None:
    places = np.tile(np.arange(40), 60)
    halves = np.stack([COUNTS - 1, np.ones_like(COUNTS)], axis=1).ravel()  # -1 and 1 make a zero
    twice = sparse.csr_matrix((halves, places, np.arange(31) * 80), shape=COUNTS.shape)
    adata = ad.AnnData(twice)
    simulate_dropout(adata, 0.4)
    reference = ad.AnnData(COUNTS)
    simulate_dropout(reference, 0.4)
    np.testing.assert_array_equal(dense(adata.X), reference.X)


def test_only_the_layer_is_written(counts) -> None:
    counts.layers["raw"] = counts.X.copy()
    before = freeze(counts.X)
    simulate_dropout(counts, 0.3, layer="raw", random_state=5)
    assert freeze(counts.X) == before
    assert counts.layers["raw"].nnz == counts.X.nnz - round(0.3 * counts.X.nnz)
    assert counts.uns["clr_dropout"]["layer"] == "raw"
    without_x = ad.AnnData(None, shape=COUNTS.shape, layers={"raw": COUNTS.copy()})
    simulate_dropout(without_x, 0.3, layer="raw")
    assert without_x.X is None


def test_counts_whose_normalising_was_left_to_their_readers_are_not_touched(counts) -> None:
    counts.layers["mine"] = counts.X.copy()
    contrastive_preprocess(counts, defer=True)
    with unchanged(counts), pytest.raises(ValueError, match="call simulate_dropout before contrastive_preprocess"):
        simulate_dropout(counts, 0.3)
    simulate_dropout(counts, 0.3, layer="mine")
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts)
    simulate_dropout(counts, 0.3)  # no longer what was left


def test_copy_and_view(counts) -> None:
    with unchanged(counts):
        copied = simulate_dropout(counts, 0.3, copy=True)
        view = counts[:50]
        assert simulate_dropout(view, 0.3) is None
        of_view = simulate_dropout(counts[:50], 0.3, copy=True)
    assert copied.X.nnz == counts.X.nnz - round(0.3 * counts.X.nnz)
    assert not view.is_view
    assert freeze(view.X) == freeze(of_view.X)


def test_record_survives_a_file(counts, tmp_path) -> None:
    simulate_dropout(counts, 0.3, random_state=7)
    counts.write_h5ad(tmp_path / "cells.h5ad")
    read = ad.read_h5ad(tmp_path / "cells.h5ad")
    assert_reads_back(read.uns["clr_dropout"], counts.uns["clr_dropout"])
    assert counts.uns["clr_dropout"]["random_state"] == 7
    contrastive_preprocess(counts, n_top_genes=20)
    assert counts.uns["clr_preprocess"]["input"] == "counts"


def spoiled(value: float, kind=np.array) -> ad.AnnData:
    values = COUNTS.astype(np.float32)
    values[3, 4] = value
    return ad.AnnData(kind(values))


def plain() -> ad.AnnData:
    return ad.AnnData(COUNTS.copy())


WRONG = {
    "rate 1": (plain, 1.0, {}, ValueError, r"`rate` must.*below 1; found 1\.0"),
    "rate -0.1": (plain, -0.1, {}, ValueError, r"`rate` must.*at least 0.*-0\.1"),
    "rate 30": (plain, 30, {}, ValueError, "`rate` must.*30"),
    "rate NaN": (plain, np.nan, {}, ValueError, "`rate` must.*nan"),
    "rate text": (plain, "0.3", {}, ValueError, r"`rate` must.*'0\.3'"),
    "layer": (plain, 0.3, {"layer": "nope"}, KeyError, r"layer='nope'.*adata\.layers"),
    "no X": (lambda: ad.AnnData(shape=(4, 5)), 0.3, {}, ValueError, r"adata\.X is empty.*layer="),
    "seed": (plain, 0.3, {"random_state": -1}, ValueError, "`random_state` must be a whole number"),
    "negative": (lambda: spoiled(-1), 0.3, {}, ValueError, "negative values.*raw counts"),
    "NaN": (lambda: spoiled(np.nan, sparse.csc_matrix), 0.3, {}, ValueError, r"adata\.X holds NaN"),
    "infinite": (lambda: spoiled(np.inf, sparse.csr_array), 0.3, {}, ValueError, "infinite"),
    "complex": (lambda: ad.AnnData(COUNTS.astype(complex)), 0.3, {}, TypeError, "complex128 values; numbers"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_refused_and_untouched(case) -> None:
    make, rate, arguments, error, message = WRONG[case]
    adata = make()
    with unchanged(adata), pytest.raises(error, match=message):
        simulate_dropout(adata, rate, **arguments)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_interrupted_and_untouched(counts, monkeypatch, stop) -> None:
    def fail(*args, **kwargs):
        raise stop

    monkeypatch.setattr("scclr_ext.pp._simulate_dropout._lottery", fail)
    with unchanged(counts), pytest.raises(stop):
        simulate_dropout(counts, 0.3)


def test_a_file_is_refused(counts, tmp_path) -> None:
    counts.write_h5ad(tmp_path / "counts.h5ad")
    backed = ad.read_h5ad(tmp_path / "counts.h5ad", backed="r")
    with pytest.raises(ValueError, match=r"backed by a file.*to_memory\(\)"):
        simulate_dropout(backed, 0.3)
    backed.file.close()
