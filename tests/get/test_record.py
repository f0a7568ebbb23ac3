"""What counts as an embedding, and how much memory it takes to see that."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from scclr_ext._values import matrix as _matrix
from scclr_ext.get._record import read_record
from synthetic import make_embedded


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, bool])
def test_any_kind_of_numbers(dtype) -> None:
    adata = make_embedded()
    adata.obsm["X_clr"] = (adata.obsm["X_clr"] * 9).astype(dtype)
    assert read_record(adata, "clr").representation.dtype == dtype


@pytest.mark.parametrize(("value", "usable"), [(np.inf, True), (np.nan, True), (1e300, False), (-1e300, False)])
def test_numbers_that_are_too_large(monkeypatch, value, usable) -> None:
    monkeypatch.setattr(_matrix, "_CHUNK", 7)
    adata = make_embedded()
    adata.obsm["X_clr"] = adata.obsm["X_clr"].astype(np.float64)
    adata.obsm["X_clr"][-1, -1] = value
    if usable:
        assert np.isfinite(read_record(adata, "clr").representation).sum() == adata.obsm["X_clr"].size - 1
    else:
        with pytest.raises(ValueError, match="not a matrix of numbers"):
            read_record(adata, "clr")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_check_copies_little(monkeypatch, dtype) -> None:
    monkeypatch.setattr(_matrix, "_CHUNK", 1000)
    adata = make_embedded()
    adata.obsm["X_clr"] = np.ones((adata.n_obs, 10_000), dtype=dtype)
    tracemalloc.start()
    read_record(adata, "clr")
    assert tracemalloc.get_traced_memory()[1] < 0.1 * adata.obsm["X_clr"].nbytes
    tracemalloc.stop()
