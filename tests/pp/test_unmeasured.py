"""Genes that a batch lacks: found where they were not measured, not where a type is missing."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import scclr_ext as clr


def two_samples(n_cells: int = 60, n_genes: int = 50, seed: int = 0) -> list[ad.AnnData]:
    rng = np.random.default_rng(seed)
    made = []
    for name in "ab":
        sample = ad.AnnData(sparse.csr_matrix(rng.poisson(1.0, (n_cells, n_genes)).astype(np.float32)))
        sample.obs_names = [f"{name}{i}" for i in range(n_cells)]
        made.append(sample)
    return made


def joined(samples, join: str) -> ad.AnnData:
    return ad.concat(samples, join=join, label="sample", keys=["first", "second"])


@pytest.mark.parametrize("preprocess", [clr.pp.contrastive_preprocess, clr.pp.select_n_top_genes])
def test_an_outer_join_is_told_of(preprocess) -> None:
    first, second = two_samples()
    data = joined([first, second[:, 10:].copy()], "outer")
    options = {"candidates": [40]} if preprocess is clr.pp.select_n_top_genes else {"n_top_genes": 50}
    with pytest.warns(
        UserWarning, match=r"genes have no count in any cell of batch 'second' \(obs\['sample'\]\)"
    ) as told:
        preprocess(data, batch_key="sample", **options)
    assert told[0].filename == __file__
    assert "join='inner'" in str(told[0].message)


def test_the_remedies_help() -> None:
    first, second = two_samples()
    parts = [first, second[:, 10:].copy()]
    clr.pp.contrastive_preprocess(joined(parts, "inner"), batch_key="sample")
    outer = joined(parts, "outer")
    clr.pp.contrastive_preprocess(outer, batch_key="sample", mask_genes=outer.var_names.isin(second.var_names[10:]))
    clr.pp.contrastive_preprocess(joined(parts, "outer"))  # nobody is told of batches


@pytest.mark.parametrize("n_missing", [5, 6])
def test_more_than_a_tenth_are_many(n_missing) -> None:
    first, second = two_samples()
    data = joined([first, second[:, n_missing:].copy()], "outer")
    if n_missing == 6:
        with pytest.warns(UserWarning, match="6 of the 50 chosen genes"):
            clr.pp.contrastive_preprocess(data, batch_key="sample")
    else:
        clr.pp.contrastive_preprocess(data, batch_key="sample")


def test_genes_that_are_rare_anyway_and_small_batches_are_nothing() -> None:
    first, second = two_samples()
    few = joined([first, second[:8, 20:].copy()], "outer")  # of eight cells ten are not to be expected
    clr.pp.contrastive_preprocess(few, batch_key="sample")
    values = np.random.default_rng(1).poisson(0.02, (120, 50)).astype(np.float32)
    values[60:, :20] = 0  # on less than two cells of the sample
    rare = joined(two_samples(), "outer")
    rare.X = sparse.csr_matrix(values)
    clr.pp.contrastive_preprocess(rare, batch_key="sample")
