"""Every metric meets bad arrays: it works, or says by name what is wrong."""

from __future__ import annotations

import inspect
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

import scclr_ext as clr
from hostile.judge import faults

N = 12
GOOD = {
    "representation": np.random.default_rng(0).normal(size=(N, 3)),
    "labels": np.arange(N) % 3,
}
# The arrays that each function takes: a representation or labels.
TAKES = {
    "adjusted_rand_index": ("labels", "labels"),
    "alignment": ("representation", "representation"),
    "batch_scores": ("labels", "labels"),
    "calinski_harabasz": ("representation", "labels"),
    "effective_rank": ("representation",),
    "normalized_mutual_info": ("labels", "labels"),
    "silhouette": ("representation", "labels"),
    "silhouette_samples": ("representation", "labels"),
    "singular_values": ("representation",),
    "uniformity": ("representation",),
}
REPRESENTATIONS: dict[str, Any] = {
    "NaN": np.full((N, 3), np.nan),
    "one infinity": np.where(np.eye(N, 3) == 1, np.inf, 0.0),
    "text": np.full((N, 3), "a"),
    "objects": np.full((N, 3), None),
    "complex": np.ones((N, 3), complex),
    "one dimension": np.ones(N),
    "a cube": np.ones((N, 3, 2)),
    "no cells": np.ones((0, 3)),
    "no dimensions": np.ones((N, 0)),
    "another number of cells": np.ones((N + 1, 3)),
    "sparse": sparse.csr_matrix(np.ones((N, 3))),
    "a number": 3.0,
    "None": None,
    "a whole AnnData": ad.AnnData(np.ones((N, 3), np.float32)),
    "a dict": {"a": 1},
}
FINE = {"another number of cells"}  # where nothing else is given per cell
LABELS: dict[str, Any] = {
    "missing": [None, *range(N - 1)],
    "NaN": np.where(np.arange(N) == 2, np.nan, 1.0),
    "a matrix": np.ones((N, 2)),
    "empty": [],
    "another number": np.arange(N + 1) % 3,
    "a text": "abc",
    "a number": 3,
    "None": None,
    "a whole AnnData": ad.AnnData(np.ones((N, 3), np.float32)),
}


def call(name: str, *given: Any) -> Any:
    function = getattr(clr.metrics, name)
    if name == "batch_scores":
        return function(*given, clusters=GOOD["labels"])
    return function(*given)


def good(name: str) -> list[Any]:
    values = [GOOD[kind] for kind in TAKES[name]]
    return [values[0], np.arange(N) // 3 % 2] if name == "batch_scores" else values


def test_every_metric_is_here() -> None:
    functions = {name for name in clr.metrics.__all__ if inspect.isfunction(getattr(clr.metrics, name))}
    assert functions == set(TAKES)
    for name in TAKES:
        call(name, *good(name))


@pytest.mark.parametrize(
    ("name", "place", "case"),
    [
        (name, place, case)
        for name, kinds in TAKES.items()
        for place, kind in enumerate(kinds)
        for case in (LABELS if kind == "labels" else REPRESENTATIONS)
        if not (case in FINE and len(kinds) == 1)
    ],
)
def test_bad_arrays_are_named(name, place, case) -> None:
    values = good(name)
    values[place] = (LABELS if TAKES[name][place] == "labels" else REPRESENTATIONS)[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call(name, *values)
    assert not faults(caught.value, getattr(clr.metrics, name))


@pytest.mark.parametrize("convert", [list, tuple, pd.Series, pd.Categorical, lambda x: x.astype(str), lambda x: x > 0])
@pytest.mark.parametrize("name", [name for name, kinds in TAKES.items() if "labels" in kinds])
def test_labels_of_any_type(name, convert) -> None:
    values = [convert(v) if kind == "labels" else v for v, kind in zip(good(name), TAKES[name], strict=True)]
    codes = [
        pd.factorize(pd.Series(v))[0] if kind == "labels" else v for v, kind in zip(values, TAKES[name], strict=True)
    ]
    np.testing.assert_equal(call(name, *values), call(name, *codes))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint64", "bool"])
@pytest.mark.parametrize("name", [name for name, kinds in TAKES.items() if "representation" in kinds])
def test_numbers_of_any_type(name, dtype) -> None:
    values = [
        np.abs(v * 5).astype(dtype) if kind == "representation" else v
        for v, kind in zip(good(name), TAKES[name], strict=True)
    ]
    for value in values:
        value.flags.writeable = False
    assert np.isfinite(np.ravel(call(name, *values)[0] if name == "silhouette_samples" else call(name, *values))).all()


@pytest.mark.parametrize("name", [name for name, kinds in TAKES.items() if "representation" in kinds])
@given(
    rep=arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(width=64)),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_numbers(name, rep, data) -> None:
    labels = data.draw(arrays(np.int64, len(rep), elements=st.integers(0, 3)))
    values = [rep if kind == "representation" else labels for kind in TAKES[name]]
    try:
        call(name, *values)
    except (ValueError, TypeError) as error:
        assert not faults(error, getattr(clr.metrics, name))


@pytest.mark.parametrize("function", [clr.metrics.silhouette, clr.metrics.silhouette_samples])
@pytest.mark.parametrize("options", [{"metric": "nope"}, {"random_state": -1}])
def test_options_that_are_none_are_named(function, options) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}`"):
        function(np.arange(8.0).reshape(4, 2), [0, 0, 1, 1], **options)
