"""Logarithms that the models cannot read are told from those they can."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import scclr_ext as clr
from scclr_ext._values.check_logarithms import _standardised, check_logarithms
from scclr_ext._values.logarithms import (
    common_size,
    linear_sizes,
    some_cells,
    some_rows,
)

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(RNG.gamma(0.4, 4.0, 60) * RNG.lognormal(0, 0.4, (50, 1))).astype(np.float64)
BASES = [np.e, 2.0, 10.0]


def logged(values: np.ndarray, base: float = np.e, kind=sparse.csr_matrix):
    return kind((np.log1p(values) / np.log(base)).astype(np.float32))


def normalized(target_sum: float = 1e4) -> np.ndarray:
    return COUNTS * target_sum / COUNTS.sum(axis=1, keepdims=True)


def check(cells, layer: str | None = None, **noted) -> None:
    adata = ad.AnnData(cells)
    if noted:
        adata.uns["log1p"] = noted
    check_logarithms(adata, cells, layer=layer, where="adata.X")


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("base", BASES)
def test_counts_that_were_not_normalised(base, kind) -> None:
    low, high = COUNTS.sum(axis=1).min(), COUNTS.sum(axis=1).max()
    with pytest.raises(ValueError, match=f"adata.X .*not normalised.*add up to {low:,.0f} to {high:,.0f}.*Give the"):
        check(logged(COUNTS, base, kind))
    with pytest.raises(ValueError, match="not normalised"):
        check(logged(COUNTS * 1000 // 7, base, kind))  # large ones, of which logarithms in float32 tell little
    with pytest.raises(ValueError, match="not normalised"):
        check(logged(COUNTS > 0, base, kind))


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
@pytest.mark.parametrize("base", ["2", "10"])
def test_other_bases_are_seen(base, kind) -> None:
    for target_sum in (1e4, 1e6, np.median(COUNTS.sum(axis=1))):
        with pytest.raises(ValueError, match=rf"base {base}; .*np\.log\({base}\).*uns\['log1p'\]"):
            check(logged(normalized(target_sum), float(base), kind))


def test_a_base_that_is_noted() -> None:
    part = logged(normalized()[:, :40], 2.0)  # genes left out: library sizes tell nothing
    check(part)
    check(part, base=None)
    check(part, base=np.e)
    check(part, layer="logs", base=2)  # which is about X
    with pytest.raises(ValueError, match="base 2; "):
        check(part, base=2)


@pytest.mark.parametrize("target_sum", [1e4, 1e6, 50.0])
def test_natural_logarithms_of_one_library_size_pass(target_sum) -> None:
    check(logged(normalized(target_sum)))
    check(logged(normalized(target_sum)), base=2)  # the values themselves know better
    check(logged(normalized(target_sum)[:, :40]))


@pytest.mark.parametrize("target_sum", [1, 100.0])
def test_shares_of_a_library_are_no_logarithms(target_sum) -> None:
    shares = normalized(target_sum).astype(np.float32)
    with pytest.raises(ValueError, match=f"adata.X .*add up to {target_sum:g} in every cell.*no logarithm"):
        check(sparse.csr_matrix(shares))
    check(shares[:, :40])  # of which nothing can be told


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
@pytest.mark.parametrize("largest", [None, 10.0])
def test_scaled_values_are_no_logarithms(kind, largest) -> None:
    values = np.log1p(normalized())
    check(values.astype(np.float32)[:, values.std(axis=0) > 0.1])  # logarithms are not, whatever they vary by
    values = values / np.where(values.any(axis=0), values.std(axis=0, ddof=1), 1)
    with pytest.raises(ValueError, match="adata.X .*standard deviation of 1: they were scaled"):
        check(kind(np.minimum(values, largest or np.inf).astype(np.float32)))


def test_logarithms_of_genes_that_vary_alike_are_not_scaled() -> None:
    counts = np.random.default_rng(1).poisson(1.0, (80, 60))
    logs = np.log1p(counts * (4.0 + np.random.default_rng(2).random((80, 1)))).astype(np.float32)
    assert (np.abs(logs.std(axis=0) - 1) < 0.2).mean() > 0.9
    assert not _standardised(logs)
    assert _standardised(logs / logs.std(axis=0))


def test_logarithms_that_were_brought_to_one_sum_afterwards_are_taken() -> None:
    logs = np.log1p(normalized())
    again = logs * (logs.sum(axis=1).mean() / logs.sum(axis=1, keepdims=True))
    assert again.sum(axis=1).mean() > 100
    check(again.astype(np.float32))


def test_logarithms_to_base_2_of_large_libraries() -> None:
    large = logged(normalized(3e6)[:, :30], 2.0)
    assert linear_sizes(large).max() > 1e8
    with pytest.raises(ValueError, match="base 2; .*uns"):
        check(large, base=2)
    with pytest.raises(ValueError, match=r"base 2, it seems.*multiply them by np.log\(2\)"):
        check(large)


def test_square_roots_of_counts() -> None:
    with pytest.raises(ValueError, match="adata.X holds square roots of whole numbers"):
        check(sparse.csr_matrix(np.sqrt(COUNTS).astype(np.float32)))


def test_corrected_counts_of_a_panel() -> None:
    corrected = (np.maximum(COUNTS - 0.3, 0) * 29 / COUNTS.max()).astype(np.float32)
    with pytest.raises(ValueError, match=r"adata.X holds values that are no logarithms.*add up to \S+e\+\d+ to"):
        check(sparse.csr_matrix(corrected))


def test_counts_of_one_library_size_are_normalised() -> None:
    check(logged(np.tile(COUNTS[:1], (9, 1))))


@pytest.mark.parametrize("n_cells", [0, 1, 2])
def test_of_few_cells_nothing_can_be_told(n_cells) -> None:
    check(logged(COUNTS[:n_cells]))


def test_the_library_size() -> None:
    assert common_size(linear_sizes(logged(normalized(5000)))) == pytest.approx(5000, rel=1e-4)
    assert common_size(linear_sizes(logged(normalized(5000)[:, :40]))) == 0
    assert common_size(linear_sizes(np.full((5, 3), 999, dtype=np.float32))) == 0  # infinite


def test_some_cells_are_of_everywhere() -> None:
    rows = some_cells(np.arange(1000, dtype=np.int64)[:, None] * np.ones((1, 2), dtype=np.int64), "it")
    assert rows.dtype == np.float32
    assert (len(rows), rows[0, 0], rows[-1, 0]) == (256, 0, 999)
    assert some_rows(1000, together=True).tolist() == list(range(256))
    assert some_rows(9, together=True).tolist() == some_rows(9).tolist() == list(range(9))


TAKES_VALUES = {
    "pp.contrastive_preprocess": lambda roots, options: clr.pp.contrastive_preprocess(roots, **options),
    "pp.select_n_top_genes": lambda roots, options: clr.pp.select_n_top_genes(roots, candidates=(10,), **options),
    "tl.contrastive_embed": lambda roots, options: clr.tl.contrastive_embed(roots, **QUICK, **options),
    "tl.map_query": lambda roots, options: clr.tl.map_query(roots, reference(roots), device="cpu", **options),
}
QUICK = {"n_steps": 2, "device": "cpu", "progress": False}


def reference(roots: ad.AnnData) -> ad.AnnData:
    counts = ad.AnnData(np.square(roots.X).round(), var=roots.var[[]])
    clr.pp.contrastive_preprocess(counts)
    clr.tl.contrastive_embed(counts, **QUICK)
    return counts


@pytest.mark.filterwarnings("ignore:.*query.s cells")  # square roots are not what the reference has
@pytest.mark.parametrize("name", TAKES_VALUES)
def test_a_user_who_knows_better_is_believed(name) -> None:
    roots = ad.AnnData(np.sqrt(np.random.default_rng(0).poisson(2.0, (60, 40))).astype(np.float32))
    with pytest.raises(ValueError, match=r"square roots.*If they are .* pass `check_values=False`"):
        TAKES_VALUES[name](roots.copy(), {})
    TAKES_VALUES[name](roots, {"check_values": False})
