"""The choice of genes, seen from inside: statistics, ties with the rules, and who may be chosen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scclr_ext._values.gene_mask import gene_mask
from scclr_ext.pp._gather import normalize
from scclr_ext.pp._genes import select_genes as select

LOGGED = np.log1p(np.random.default_rng(0).poisson(np.linspace(0.2, 4, 60), (50, 60)) * 1.3).astype(np.float32)
VAR = pd.DataFrame(index=[f"gene{i}" for i in range(60)])


def select_genes(logged, var: pd.DataFrame, n: int, *, codes, mask_genes) -> pd.DataFrame:
    found = normalize(logged, codes, None, units="log-normalized")
    return select(found.moments, var, n, mask_genes=mask_genes)


def statistics(logged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and dispersion as Seurat defines them: of the unlogged values, then logged."""
    linear = np.expm1(logged.astype(np.float64))
    mean = linear.mean(axis=0)
    return np.log1p(mean), np.log(linear.var(axis=0, ddof=1) / mean)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, sparse.csr_array])
def test_statistics_by_hand(kind) -> None:
    table = select_genes(kind(LOGGED), VAR, 10, codes=None, mask_genes=None)
    means, dispersions = statistics(LOGGED)
    np.testing.assert_allclose(table["means"], means, rtol=1e-4)
    np.testing.assert_allclose(table["dispersions"], dispersions, rtol=1e-3, atol=1e-4)
    bins = pd.cut(table["means"], 20)
    of_bin = table.groupby(bins, observed=True)["dispersions"]
    alone = of_bin.transform("size") == 1
    expected = (table["dispersions"] - of_bin.transform("mean")) / of_bin.transform("std")
    np.testing.assert_allclose(table["dispersions_norm"][~alone], expected[~alone], rtol=1e-6)
    np.testing.assert_allclose(table["dispersions_norm"][alone], 1.0)  # a gene alone in its bin
    picked = table["highly_variable"]
    assert table["dispersions_norm"][picked].min() > table["dispersions_norm"][~picked].max()
    assert 10 <= picked.sum() <= 12  # those that share the lowest value chosen are all in, as in scanpy
    assert table.index.equals(VAR.index)


@pytest.mark.parametrize("codes", [None, np.arange(50) % 2])
def test_statistics_are_there_where_all_genes_are_wanted(codes) -> None:
    values = LOGGED.copy()
    values[:, 0] = 0
    some, every = (select_genes(values, VAR, n, codes=codes, mask_genes=None) for n in (10, 60))
    statistics_ = ["means", "dispersions", "dispersions_norm"]
    pd.testing.assert_frame_equal(every[statistics_], some[statistics_])
    assert every[statistics_].notna().all(axis=1).tolist() == [False] + [True] * 59
    assert every["highly_variable"].tolist() == [False] + [True] * 59


@pytest.mark.parametrize("n_genes", [1, 2])
def test_all_of_very_few_genes(n_genes) -> None:
    few = np.repeat(LOGGED[:, -1:], n_genes, axis=1)  # of one dispersion
    table = select_genes(few, VAR[:n_genes], 5, codes=None, mask_genes=None)
    assert table["highly_variable"].all()
    assert table[["means", "dispersions"]].notna().all(axis=None)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
def test_a_gene_needs_two_cells(kind) -> None:
    values = LOGGED.copy()
    values[:, :3] = 0
    values[0, 1] = values[0, 2] = values[1, 2] = 3.0
    values[1, 2] = 2.0
    table = select_genes(kind(values), VAR, 60, codes=None, mask_genes=None)
    assert table["highly_variable"].tolist() == [False, False] + [True] * 58


def test_the_input_is_left_alone() -> None:
    values = sparse.csr_matrix(LOGGED)
    before = values.copy()
    select_genes(values, VAR, 10, codes=np.arange(50) % 2, mask_genes=None)
    assert (values != before).nnz == 0
    assert VAR.columns.empty


def test_names_may_be_odd() -> None:
    var = pd.DataFrame(index=["ä/ö", "", *(f"{i}" for i in range(58))])
    plain = select_genes(LOGGED, VAR, 10, codes=None, mask_genes=None)
    odd = select_genes(LOGGED, var, 10, codes=None, mask_genes=None)
    np.testing.assert_array_equal(plain["highly_variable"], odd["highly_variable"])
    batched = [select_genes(LOGGED, v, 10, codes=np.arange(50) % 2, mask_genes=None) for v in (VAR, var)]
    np.testing.assert_array_equal(batched[0]["highly_variable"], batched[1]["highly_variable"])


def test_genes_without_any_difference_in_dispersion() -> None:
    same = np.repeat(LOGGED[:, 40:41], 20, axis=1)
    with pytest.raises(ValueError, match="same dispersion"):
        select_genes(same, VAR[:20], 5, codes=None, mask_genes=None)


NO_MASKS = [
    *(["x"] * 60, [2] * 60, [True] * 59 + [None], ["1"] * 60),
    pd.array([True] * 59 + [pd.NA], dtype="boolean"),
]


@pytest.mark.parametrize("column", NO_MASKS)
def test_a_column_that_is_no_mask(column) -> None:
    with pytest.raises(ValueError, match="keep.*mask_genes.*boolean.*found"):
        select_genes(LOGGED, VAR.assign(keep=column), 10, codes=None, mask_genes="keep")


@pytest.mark.parametrize("dtype", [int, float, object, "category"])
def test_marks_of_another_type_are_understood(dtype) -> None:
    marks = pd.Series(np.arange(60) % 3 == 0, index=[f"g{i}" for i in range(60)])
    var = pd.DataFrame({"keep": marks.astype(dtype)})
    assert np.array_equal(gene_mask(var, "keep", argument="mask_genes"), marks)
    assert np.array_equal(gene_mask(var, var["keep"][::-1], argument="mask_genes"), marks)
