"""What kind of numbers a matrix holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scclr_ext._values import matrix as _matrix
from scclr_ext._values.units import guess_units

COUNTS = np.array([[0, 1, 5], [3, 0, 700]], dtype=np.float32)
KINDS = {
    "counts": COUNTS,
    "log-normalized": np.log1p(COUNTS * 1.7),
    "linear": COUNTS * 1.7,
    "scaled": COUNTS - COUNTS.mean(axis=0),
}


@pytest.mark.parametrize("units", list(KINDS))
@pytest.mark.parametrize("kind", [np.array, np.asfortranarray, sparse.csr_matrix, sparse.csr_array])
def test_units(units, kind) -> None:
    assert guess_units(kind(KINDS[units])) == units


@pytest.mark.parametrize(
    ("values", "units"),
    [
        ([[0.0, 0.0]], "counts"),
        ([[1.0, 2.0]], "counts"),
        ([[30.0, 0.5]], "log-normalized"),
        ([[30.5, 0.5]], "linear"),
        ([[31.0, 1.0]], "counts"),
        ([[-1.0, 2.0]], "scaled"),
        ([[-1e-6, 900.5]], "scaled"),
    ],
)
def test_edges(values, units) -> None:
    assert guess_units(np.array(values, dtype=np.float32)) == units


def test_a_matrix_without_stored_values() -> None:
    assert guess_units(sparse.csr_matrix((3, 4), dtype=np.float32)) == "counts"


@pytest.mark.parametrize(("place", "units"), [(0, "linear"), (5, "linear"), (11, "linear")])
def test_every_piece_is_looked_at(monkeypatch, place, units) -> None:
    monkeypatch.setattr(_matrix, "_CHUNK", 5)
    values = np.full((3, 4), 0.5, dtype=np.float32)
    assert guess_units(values) == "log-normalized"
    values.flat[place] = 99.5
    assert guess_units(values) == units
    assert guess_units(sparse.csr_matrix(values)) == units
