"""The numbers recorded during a training are those of `scclr_ext.metrics`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.engine.diagnostics import diagnose, find_collapse
from scclr_ext.metrics import alignment, effective_rank, uniformity


def on_sphere(n: int, d: int, seed: int, scale: float = 0.0) -> np.ndarray:
    """Unit vectors, crowded around the first axis by `scale`."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    x[:, 0] += scale
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 60), d=st.integers(2, 40), seed=st.integers(0, 999), scale=st.sampled_from([0.0, 3.0]))
def test_they_agree_with_the_metrics(n, d, seed, scale) -> None:
    first, second = on_sphere(n, d, seed, scale), on_sphere(n, d, seed + 1, scale)
    found = diagnose(torch.from_numpy(first), torch.from_numpy(second))
    assert found["alignment"] == pytest.approx(alignment(first, second), rel=1e-5, abs=1e-5)
    assert found["uniformity"] == pytest.approx(uniformity(first), rel=1e-5, abs=1e-5)
    # Below the number of cells the last singular value is a rounding error, which float32 sees and float64 drops.
    assert found["effective_rank"] == pytest.approx(effective_rank(first), rel=1e-5 if n > d else 1e-3)


@pytest.mark.parametrize(("n", "d"), [(200, 60), (256, 128)])
def test_they_agree_with_the_metrics_for_a_minibatch(n, d) -> None:
    first, second = on_sphere(n, d, 0, 3.0), on_sphere(n, d, 1, 3.0)
    found = diagnose(torch.from_numpy(first), torch.from_numpy(second))
    expected = {
        "alignment": alignment(first, second),
        "uniformity": uniformity(first),
        "effective_rank": effective_rank(first),
    }
    assert found == pytest.approx(expected, rel=1e-5)


def test_known_values() -> None:
    axes = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    found = diagnose(axes, -axes)
    assert found["alignment"] == pytest.approx(4)
    assert found["effective_rank"] == pytest.approx(2)
    # of three others, two are at a right angle (squared distance 2) and one is opposite (4)
    assert found["uniformity"] == pytest.approx(np.log((2 * np.exp(-4) + np.exp(-8)) / 3))


def test_a_collapsed_representation() -> None:
    same = torch.from_numpy(on_sphere(1, 60, 0)).expand(50, 60)
    found = diagnose(same, same)
    assert found["effective_rank"] == 0
    assert found["uniformity"] == pytest.approx(0, abs=1e-5)
    assert found["alignment"] == 0


def test_one_cell_is_no_error() -> None:
    z = torch.tensor([[0.6, 0.8]])
    assert diagnose(z, z) == {"alignment": 0.0, "uniformity": 0.0, "effective_rank": 0.0}


def test_plain_numbers_without_a_gradient() -> None:
    z = torch.from_numpy(on_sphere(5, 3, 0)).requires_grad_()
    found = diagnose(z, z.bfloat16())
    assert {type(v) for v in found.values()} == {float}
    assert z.grad is None


HISTORY = {
    "step": np.array([50, 100]),
    "loss": np.array([5.0, 2.0]),
    "chance": np.array([7.0, 6.0]),
    "effective_rank": np.array([3.0, 20.0]),
}


def test_a_good_training_is_no_collapse() -> None:
    assert find_collapse(on_sphere(50, 8, 0), HISTORY) is None


@pytest.mark.parametrize("n", [50, 5000])
def test_a_collapsed_embedding_is_found(n) -> None:
    line = np.random.default_rng(0).normal(size=(n, 1)).astype(np.float32) * np.ones(8, dtype=np.float32)
    assert find_collapse(line, HISTORY) == "the embedding has collapsed to about 1.0 directions"
    assert "about 0.0 directions" in find_collapse(np.ones((n, 8), dtype=np.float32), HISTORY)


def ended(step: int, loss: float, ranks: tuple[float, ...] = (9.0,)) -> dict[str, np.ndarray]:
    last = {"step": step, "loss": loss, "chance": 6.0}
    return {name: np.full(len(ranks), value) for name, value in last.items()} | {"effective_rank": np.array(ranks)}


def test_a_loss_near_chance_is_found_where_the_training_was_long_enough() -> None:
    z = on_sphere(50, 8, 0)
    found = find_collapse(z, ended(50, 5.9))
    assert found == "the loss ended at 5.90, chance is 6.00: little was learned"
    assert find_collapse(z, ended(49, 5.9)) is None
    assert find_collapse(z, ended(50, 5.6)) is None


def test_a_collapse_of_what_is_compared_is_found_where_the_embedding_hides_it() -> None:
    z = on_sphere(50, 8, 0)
    found = find_collapse(z, ended(100, 2.0, (20.0, 9.0, 1.2, 1.1, 1.0, 1.1, 9.0)))
    assert found == "the representations that the loss compares have collapsed to about 1.1 directions"
    assert find_collapse(z, ended(100, 2.0, (1.0, 1.0, 9.0, 9.0, 9.0, 1.0, 0.0))) is None, "a few small minibatches"
    assert find_collapse(z, ended(49, 2.0, (1.0, 1.0))) is None
