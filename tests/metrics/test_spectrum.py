"""Singular values and the effective rank against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.metrics import _singular_values, effective_rank, singular_values


def with_spectrum(values, n=40, d=10, seed=0):
    """A centred matrix with these singular values."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(n, len(values)))
    left = np.linalg.qr(start - start.mean(axis=0))[0]
    right = np.linalg.qr(rng.normal(size=(d, len(values))))[0]
    return left @ np.diag(values) @ right.T


def test_singular_values_are_found() -> None:
    values = singular_values(5 + with_spectrum([4.0, 2.0, 1.0]))
    np.testing.assert_allclose(values[:3], [4, 2, 1])
    np.testing.assert_array_equal(values[3:], 0)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_equal_directions_count_as_many(k) -> None:
    assert effective_rank(with_spectrum([3.0] * k)) == pytest.approx(k)


def test_unequal_directions_follow_the_entropy() -> None:
    # Shares 1/2, 1/4, 1/4 have an entropy of 1.5 bits.
    assert effective_rank(with_spectrum([2.0, 1.0, 1.0])) == pytest.approx(2**1.5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), shift=st.floats(-10, 10))
def test_invariances_and_range(seed, scale, shift) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 5)) * rng.random(5)
    rank = effective_rank(x)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert effective_rank(scale * (x[rng.permutation(12)] @ rotation + shift)) == pytest.approx(rank, rel=1e-6)
    assert 1 <= rank <= 5


def test_many_cells_take_the_other_road_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    x = 3 + with_spectrum([4.0, 2.0, 1e-3], n=500).astype(np.float32)
    direct = singular_values(x)
    monkeypatch.setattr(_singular_values, "_DIRECT_CELLS", 64)
    np.testing.assert_allclose(singular_values(x)[:3], direct[:3], rtol=1e-3)
    assert effective_rank(with_spectrum([3.0, 3.0], n=500)) == pytest.approx(2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, bool])
@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_has_no_direction(dtype, value) -> None:
    assert effective_rank(np.full((30, 4), value, dtype=dtype)) == 0


def test_a_constant_that_binary_cannot_hold_has_no_direction() -> None:
    assert effective_rank(np.tile(np.float32([0.1, 1e6 / 3, 1e-9]), (1001, 1))) == 0
    assert effective_rank(np.tile([0.1, 1e6 / 3, 1e-9], (1001, 1))) == 0
    assert effective_rank([[1.0, 2.0]]) == 0


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"shape \(0, 3\)"):
        effective_rank(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="2 entries that are NaN or infinite"):
        singular_values([[np.nan, np.inf], [1, 2]])
