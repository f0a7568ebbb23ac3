"""Warnings point to the line that a user wrote."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import scclr_ext as clr
from scclr_ext._warn import warn


def cells() -> AnnData:
    n = 40
    obs = pd.DataFrame(
        {
            "type": pd.Categorical(["a", "b"] * (n // 2 - 1) + [None] * 2),
            "sex": pd.Categorical(["f"] * (n - 2) + ["m"] * 2),  # of which no cell has a type
            "stage": pd.Categorical(["late", "soon"] * (n // 2)),
            "clr_pseudotime": np.linspace(0, 1, n),
        },
        index=[f"cell{i}" for i in range(n)],
    )
    return AnnData(np.random.default_rng(0).poisson(1.0, (n, 30)).astype(np.float32), obs=obs)


def test_by_itself() -> None:
    with pytest.warns(UserWarning, match="so it is") as caught:
        warn("so it is")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "call",
    [
        lambda adata: clr.get.pseudotime_order(adata, "stage"),
        lambda adata: clr.pl.pseudotime_order(adata, "stage", show=False),
        lambda adata: clr.get.composition(adata, "type", "sex"),
        lambda adata: clr.pl.composition(adata, "type", "sex", show=False),
    ],
    ids=["get.pseudotime_order", "pl.pseudotime_order", "get.composition", "pl.composition"],
)
def test_from_a_function_that_calls_another(call) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(cells())
    assert {entry.filename for entry in caught} == {__file__}
