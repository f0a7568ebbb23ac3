"""Logarithms of cells brought to one library size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scclr_ext._values import normalize as _normalize
from scclr_ext._values.normalize import log_normalize


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_some_cells_at_a_time(monkeypatch, kind) -> None:
    rng = np.random.default_rng(0)
    values = rng.poisson(0.5, (50, 7)).astype(np.float32)
    values[20:30] = 0
    factor = rng.random(50).astype(np.float32)
    monkeypatch.setattr(_normalize, "_ROWS", 8)
    spread, sizes = np.repeat, []
    monkeypatch.setattr(np, "repeat", lambda part, n: sizes.append(len(part)) or spread(part, n))
    found = kind(values.copy())
    log_normalize(found, factor)
    expected = np.log1p(values * factor[:, None])
    assert np.array_equal(found if isinstance(found, np.ndarray) else found.toarray(), expected)
    assert sizes == ([] if kind is np.asarray else [8, 8, 8, 8, 8, 8, 2])
