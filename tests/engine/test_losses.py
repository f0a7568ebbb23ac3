"""The losses against the papers' equations, written out pair by pair."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.engine.losses import info_nce, nt_xent, unit_rows


def on_sphere(n: int, d: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(a) for a in arrays]


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(sum(a * b for a, b in zip(u, v, strict=True))) / float(np.sqrt((u**2).sum() * (v**2).sum()))


def simclr(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    """SimCLR (Chen et al. 2020), equation 1 and algorithm 1: views 2k - 1 and 2k are those of cell k."""
    views = [v for pair in zip(first, second, strict=True) for v in pair]

    def pair_loss(i: int, j: int) -> float:
        denominator = 0.0
        for k in range(len(views)):
            if k != i:
                denominator += exp(cosine(views[i], views[k]) / temperature)
        return -log(exp(cosine(views[i], views[j]) / temperature) / denominator)

    total = 0.0
    for k in range(len(first)):
        total += pair_loss(2 * k, 2 * k + 1) + pair_loss(2 * k + 1, 2 * k)
    return total / len(views)


def clear(query: np.ndarray, key: np.ndarray, queue: np.ndarray, temperature: float, *, in_batch: bool) -> float:
    """CLEAR, equation 1: one positive against everything else that is in the queue."""
    total = 0.0
    for i in range(len(query)):
        positive = exp(cosine(query[i], key[i]) / temperature)
        everything = positive
        for negative in queue:
            everything += exp(cosine(query[i], negative) / temperature)
        for k in range(len(key)):
            if in_batch and k != i:
                everything += exp(cosine(query[i], key[k]) / temperature)
        total += -log(positive / everything)
    return total / len(query)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 12), d=st.integers(1, 6), temperature=st.sampled_from([0.07, 0.2, 1.0]), seed=st.integers(0, 999)
)
def test_nt_xent_is_simclr(n, d, temperature, seed) -> None:
    first, second = on_sphere(n, d, seed), on_sphere(n, d, seed + 1000)
    found = nt_xent(*tensors(first, second), temperature)
    assert float(found) == pytest.approx(simclr(first, second, temperature), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("in_batch", [False, True])
@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 9),
    n_queue=st.integers(1, 15),
    d=st.integers(1, 6),
    temperature=st.sampled_from([0.07, 0.2, 1.0]),
    seed=st.integers(0, 999),
)
def test_info_nce_is_equation_1(in_batch, n, n_queue, d, temperature, seed) -> None:
    query, key, queue = on_sphere(n, d, seed), on_sphere(n, d, seed + 1000), on_sphere(n_queue, d, seed + 2000)
    found = info_nce(*tensors(query, key, queue), temperature, in_batch=in_batch)
    assert float(found) == pytest.approx(clear(query, key, queue, temperature, in_batch=in_batch), rel=1e-9)


def test_float32_at_a_small_temperature_does_not_overflow() -> None:
    first, second = on_sphere(20, 4, 0), on_sphere(20, 4, 1)
    found = nt_xent(*(t.float() for t in tensors(first, second)), 0.005)
    assert float(found) == pytest.approx(simclr(first, second, 0.005), rel=1e-4)


def test_losses_of_known_size() -> None:
    same = torch.eye(4)[:1].repeat(6, 1)  # a collapsed representation: all candidates are alike
    queue = same[:1].repeat(10, 1)
    assert float(nt_xent(same, same, 0.2)) == pytest.approx(log(2 * 6 - 1))
    assert float(info_nce(same, same, queue, 0.2)) == pytest.approx(log(1 + 10))
    assert float(info_nce(same, same, queue, 0.2, in_batch=True)) == pytest.approx(log(6 + 10))
    # One cell has no other cell to be told from.
    assert float(nt_xent(same[:1], same[:1], 0.2)) == pytest.approx(0, abs=1e-7)


def test_which_view_is_first_does_not_matter_to_nt_xent() -> None:
    first, second = tensors(on_sphere(8, 5, 0), on_sphere(8, 5, 1))
    assert float(nt_xent(first, second, 0.1)) == pytest.approx(float(nt_xent(second, first, 0.1)))


def test_cells_in_another_order_give_the_same_loss() -> None:
    first, second, queue = tensors(on_sphere(8, 5, 0), on_sphere(8, 5, 1), on_sphere(4, 5, 2))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    assert float(nt_xent(first[order], second[order], 0.1)) == pytest.approx(float(nt_xent(first, second, 0.1)))
    for in_batch in (False, True):
        expected = float(info_nce(first, second, queue, 0.1, in_batch=in_batch))
        found = float(info_nce(first[order], second[order], queue.flip(0), 0.1, in_batch=in_batch))
        assert found == pytest.approx(expected)


def test_gradients_by_finite_differences() -> None:
    first, second, queue = (
        t.requires_grad_() for t in tensors(on_sphere(4, 3, 0), on_sphere(4, 3, 1), on_sphere(5, 3, 2))
    )
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.5), (first, second))
    for in_batch in (False, True):
        assert torch.autograd.gradcheck(
            lambda a, b, q, in_batch=in_batch: info_nce(a, b, q, 0.5, in_batch=in_batch), (first, second, queue)
        )


def test_the_gradient_of_info_nce_in_closed_form() -> None:
    # d loss / d query_i = (sum_k p_ik key_k - positive_i) / (temperature * n)
    query, key, queue = on_sphere(5, 4, 0), on_sphere(5, 4, 1), on_sphere(7, 4, 2)
    anchor = torch.from_numpy(query).requires_grad_()
    info_nce(anchor, *tensors(key, queue), 0.3).backward()
    for i in range(5):
        candidates = [key[i], *queue]
        weights = np.array([exp(float(query[i] @ c) / 0.3) for c in candidates])
        weights /= weights.sum()
        expected = (sum(w * c for w, c in zip(weights, candidates, strict=True)) - key[i]) / (0.3 * 5)
        assert anchor.grad[i].numpy() == pytest.approx(expected)


def test_a_step_down_the_gradient_pulls_the_pair_and_pushes_the_rest() -> None:
    first, second = (t.requires_grad_() for t in tensors(on_sphere(6, 16, 0), on_sphere(6, 16, 1)))
    nt_xent(first, second, 0.2).backward()
    with torch.no_grad():
        moved, partner = first - 0.05 * first.grad, second - 0.05 * second.grad
        before, after = first @ second.T, moved @ partner.T
    others = ~torch.eye(6, dtype=torch.bool)
    assert after.diagonal().mean() > before.diagonal().mean()
    assert after[others].mean() < before[others].mean()


def test_similarities_stay_in_single_precision_where_the_encoder_does_not() -> None:
    first, second, queue = (torch.from_numpy(on_sphere(n, 8, n)).float() for n in (20, 20, 30))
    second = unit_rows(first + 0.01 * second)
    for loss in (
        lambda: nt_xent(first, second, 0.05),
        lambda: info_nce(first, second, queue, 0.05, in_batch=True),
        lambda: info_nce(first, second, negatives=queue, temperature=0.05),
    ):
        expected = loss()
        with torch.autocast("cpu", torch.bfloat16):
            assert (first @ second.T).dtype == torch.bfloat16
            assert torch.equal(loss(), expected)


def test_rows_of_unit_length() -> None:
    rows = unit_rows(torch.from_numpy(on_sphere(5, 4, 0)).bfloat16() * 3)
    assert rows.dtype == torch.float32
    assert rows.norm(dim=1).numpy() == pytest.approx(1, abs=1e-6)
