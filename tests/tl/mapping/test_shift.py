"""Batches of a query moved onto the reference: copies of it return, wherever the origin lies."""

from __future__ import annotations

import numpy as np

from scclr_ext.tl._mapping.shift import shift_batches


def shifted(offset: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reference cells of three types, the same ones again in two batches, and the batches."""
    rng = np.random.default_rng(0)
    reference = np.repeat(3 * np.eye(3, 5), 40, axis=0) + rng.normal(0, 0.3, (120, 5)) + offset
    batches = np.arange(120) % 2
    cells = reference + np.where(batches == 1, 0.4, 0.0)[:, None] * [1, -1, 0.5, 0, 1]
    return reference.astype(np.float32), cells.astype(np.float32), batches


def test_copies_of_the_reference_return_to_it() -> None:
    reference, cells, batches = shifted()
    moved, n_pairs = shift_batches(reference, cells, batches, 10, np.random.default_rng(0))
    before, after = (np.abs(x - reference)[batches == 1].mean() for x in (cells, moved))
    assert after < before / 4
    np.testing.assert_allclose((moved - cells)[batches == 0], 0, atol=0.05)
    assert min(n_pairs) >= 10


def test_where_the_origin_lies_does_not_matter() -> None:
    there, here = (shift_batches(*shifted(offset), 10, np.random.default_rng(0)) for offset in (0.0, 8.0))
    np.testing.assert_allclose(here[0] - 8, there[0], atol=1e-4)
    assert here[1] == there[1]
