"""Alignment and uniformity against closed forms and the engine's own figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.metrics import _uniformity, alignment, uniformity


def on_sphere(n, d, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_alignment_of_known_angles() -> None:
    x = on_sphere(50, 6)
    assert alignment(x, x) == 0
    assert alignment(x, -x) == pytest.approx(4)
    assert alignment([[1.0, 0.0]], [[0.0, 3.0]]) == pytest.approx(2)
    angle = 0.3
    assert alignment([[1.0, 0.0]], [[np.cos(angle), np.sin(angle)]]) == pytest.approx(2 - 2 * np.cos(angle))


def test_unrelated_views_align_at_two() -> None:
    assert alignment(on_sphere(20_000, 8, 0), on_sphere(20_000, 8, 1)) == pytest.approx(2, abs=0.02)


def test_uniformity_of_all_pairs() -> None:
    x = on_sphere(40, 5)
    potential = [np.exp(-2 * ((x[i] - x[j]) ** 2).sum()) for i in range(40) for j in range(i)]
    assert uniformity(x) == pytest.approx(np.log(np.mean(potential)))
    assert uniformity(x, t=0.5) == pytest.approx(np.log(np.mean(np.array(potential) ** 0.25)))


def test_uniformity_of_an_even_sphere() -> None:
    # On the sphere in three dimensions |x - y|^2 is uniform on 0 to 4: the mean of exp(-2 s) is (1 - e^-8) / 8.
    assert uniformity(on_sphere(6000, 3), sample_size=None) == pytest.approx(np.log((1 - np.exp(-8)) / 8), abs=0.02)


def test_blocks_make_no_difference() -> None:
    x = on_sphere(1500, 4)
    squared = ((x[:, None] - x[None]) ** 2).sum(-1)[np.triu_indices(1500, 1)]
    assert uniformity(x) == pytest.approx(np.log(np.exp(-2 * squared).mean()))


def test_with_very_many_cells_blocks_are_smaller(monkeypatch) -> None:
    x, shapes, triangle = on_sphere(500, 4), [], np.triu
    expected = uniformity(x)
    monkeypatch.setattr(_uniformity, "_PAIRS", 100 * 500)
    monkeypatch.setattr(np, "triu", lambda m, k: shapes.append(m.shape) or triangle(m, k))
    assert uniformity(x) == pytest.approx(expected, rel=1e-12)
    assert shapes == [(100, 500), (100, 400), (100, 300), (100, 200), (100, 100)]


def test_a_sample_is_near_and_repeatable() -> None:
    x = on_sphere(4000, 6)
    assert uniformity(x, sample_size=1000) == uniformity(x, sample_size=1000)
    assert uniformity(x, sample_size=1000) != uniformity(x, sample_size=1000, random_state=1)
    assert uniformity(x, sample_size=1000) == pytest.approx(uniformity(x, sample_size=None), abs=0.05)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-30, 1e30))
def test_order_and_length_do_not_matter(seed, scale) -> None:
    one, two = on_sphere(12, 3, seed), on_sphere(12, 3, seed + 1)
    order = np.random.default_rng(seed).permutation(12)
    assert alignment(one[order] * scale, two[order]) == pytest.approx(alignment(one, two))
    assert uniformity(one[order] * scale) == pytest.approx(uniformity(one))
    assert 0 <= alignment(one, two) <= 4
    assert -8 <= uniformity(one) <= 0


def test_rows_of_zeros_are_no_nan() -> None:
    assert alignment([[0.0, 0.0]], [[1.0, 0.0]]) == 1
    assert uniformity(np.zeros((3, 2))) == 0


def test_the_engine_records_the_same_numbers() -> None:
    torch = pytest.importorskip("torch")
    from scclr_ext.engine.diagnostics import diagnose
    from scclr_ext.metrics import effective_rank

    one, two = on_sphere(64, 8, 0), on_sphere(64, 8, 1)
    found = diagnose(torch.from_numpy(one).float(), torch.from_numpy(two).float())
    assert found["alignment"] == pytest.approx(alignment(one, two), rel=1e-4)
    assert found["uniformity"] == pytest.approx(uniformity(one), rel=1e-4)
    assert found["effective_rank"] == pytest.approx(effective_rank(one), rel=1e-4)


def test_errors() -> None:
    x = on_sphere(4, 3)
    with pytest.raises(ValueError, match=r"`first` has shape \(4, 3\) and `second` \(3, 3\)"):
        alignment(x, x[1:])
    with pytest.raises(ValueError, match="`second` has 1 entries"):
        alignment(x[:1], [[np.inf, 0, 0]])
    with pytest.raises(ValueError, match="has one cell"):
        uniformity(x[:1])
    with pytest.raises(ValueError, match="`t` is 0"):
        uniformity(x, t=0)
    with pytest.raises(ValueError, match="`sample_size` is 1"):
        uniformity(x, sample_size=1)
