"""Integrated gradients: completeness, exact where exactness can be had, and memory that does not grow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from scclr_ext.engine import attribution
from scclr_ext.engine.attribution import integrated_gradients
from scclr_ext.engine.methods import METHODS, DataInfo, build
from scclr_ext.engine.source import as_source

CPU = torch.device("cpu")
PRESETS = [(name, preset) for name, row in METHODS.items() for preset in row.presets]


class Embedder(nn.Module):
    """The part of a method that attribution needs."""

    def __init__(self, function, n_genes) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("size", torch.zeros(n_genes))

    def represent(self, x):
        return self.function(x)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).gamma(1.0, 1.0, size=(50, 12)).astype(np.float32)


def attribute(function, x, direction, *, baselines=None, **options):
    baselines = x.mean(axis=0, keepdims=True) if baselines is None else baselines
    method = Embedder(function, x.shape[1])
    cells = options.pop("cells", np.arange(len(x)))
    return integrated_gradients(method, as_source(x, CPU), cells, baselines, direction, **options)


def test_a_linear_embedding_is_its_own_attribution(x) -> None:
    weights = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
    axis = np.array([0.6, 0.0, 0.8], dtype=np.float32)
    found = attribute(lambda v: v @ torch.from_numpy(weights) + 5, x[:20], axis, baselines=x[20:21], n_steps=1)
    expected = ((x[:20] - x[20]) * (weights @ axis)).mean(axis=0)
    np.testing.assert_allclose(found.mean, expected, rtol=1e-4, atol=1e-6)
    assert found.total == pytest.approx(expected.sum(), rel=1e-4)
    assert found.error < 1e-5


def test_a_product_is_shared_equally(x) -> None:
    # x0 * x1 from the origin: the integral is x0 * x1 / 2 for each, whatever the path's parametrisation.
    found = attribute(
        lambda v: v[:, :1] * v[:, 1:2], x, np.ones(1, dtype=np.float32), baselines=np.zeros((1, 12)), n_steps=4
    )
    half = (x[:, 0] * x[:, 1]).mean() / 2
    np.testing.assert_allclose(found.mean, [half, half] + [0] * 10, rtol=1e-5, atol=1e-8)


def test_squares_are_integrated(x) -> None:
    # The gradient of x^2 is 2x; the middles of equal parts integrate a straight line exactly.
    found = attribute(lambda v: v[:, :1] ** 2, x, np.ones(1, dtype=np.float32), baselines=np.ones((1, 12)), n_steps=3)
    np.testing.assert_allclose(found.mean[0], (x[:, 0] ** 2 - 1).mean(), rtol=1e-4)


def test_a_gene_that_is_not_used_or_does_not_differ_gets_nothing(x) -> None:
    x[:, 3] = 2.0
    found = attribute(lambda v: torch.relu(v[:, :6].cumsum(1) - 2), x, np.full(6, 6**-0.5, dtype=np.float32))
    assert (found.mean[[3, *range(6, 12)]] == 0).all()
    assert (found.mean[[0, 1, 2, 4]] != 0).all()


@pytest.fixture(params=PRESETS, ids=str)
def method(request, x):
    name, preset = request.param
    components = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 4)))[0].T.astype(np.float32)
    data = DataInfo(50, x.mean(axis=0), x.std(axis=0), components if name == "scclr" else None)
    made = build(METHODS[name].presets[preset], data, torch.Generator().manual_seed(0))
    return made.eval()


@pytest.mark.parametrize("own", [True, False])
def test_contributions_sum_to_the_change(method, x, own) -> None:
    with torch.no_grad():
        rep = method.represent(torch.from_numpy(x)).numpy()
        origin = method.represent(torch.from_numpy(x.mean(axis=0, keepdims=True))).numpy()
    axis = rep[0] / np.linalg.norm(rep[0])
    found = integrated_gradients(
        method, as_source(x, CPU), np.arange(50), x.mean(axis=0, keepdims=True), None if own else axis, n_steps=64
    )
    moved = np.linalg.norm(rep - origin, axis=1) if own else (rep - origin) @ axis
    assert found.total == pytest.approx(moved.mean(), rel=1e-3, abs=1e-5)
    assert found.size == pytest.approx(np.abs(moved).mean(), rel=1e-3)
    assert found.error < 0.02
    assert abs(found.mean.sum() - found.total) <= found.residual * (1 + 1e-6)
    coarse = integrated_gradients(
        method, as_source(x, CPU), np.arange(50), x.mean(axis=0, keepdims=True), None if own else axis, n_steps=1
    )
    assert coarse.error > found.error


def test_each_cell_has_its_baseline(x) -> None:
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(12, 2)).astype(np.float32))
    axis, which = np.array([1.0, 0.0], dtype=np.float32), np.arange(50) % 2
    both = attribute(lambda v: v @ weights, x, axis, baselines=x[:2], which=which)
    apart = [attribute(lambda v: v @ weights, x[i::2], axis, baselines=x[i : i + 1]) for i in range(2)]
    np.testing.assert_allclose(both.mean, (apart[0].mean + apart[1].mean) / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, np.array])
def test_minibatches_change_nothing(x, monkeypatch, kind) -> None:
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32))
    cells, shown = np.array([3, 7, 20, 21, 40]), []

    def function(v):
        shown.append(len(v))
        return torch.relu(v @ weights)

    whole = attribute(function, x, None, cells=cells)
    shown.clear()
    monkeypatch.setattr(attribution, "_VALUES", 24)
    again = integrated_gradients(
        Embedder(function, 12), as_source(kind(x), CPU), cells, x.mean(axis=0, keepdims=True), None
    )
    assert max(shown) == 2
    np.testing.assert_allclose(again.mean, whole.mean, rtol=1e-5, atol=1e-7)
    assert again.total == pytest.approx(whole.total, rel=1e-6)


def test_nothing_is_left_in_the_networks(x) -> None:
    data = DataInfo(50, x.mean(axis=0), x.std(axis=0))
    made = build(METHODS["clear"].presets["default"], data, torch.Generator().manual_seed(0)).eval()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    trains = [weight.requires_grad for weight in made.parameters()]
    integrated_gradients(made, as_source(x, CPU), np.arange(50), x[:1], None, n_steps=2)
    assert [weight.requires_grad for weight in made.parameters()] == trains
    assert all(weight.grad is None for weight in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_cells_that_stay_where_they_are(x) -> None:
    found = attribute(lambda v: v[:, :2] * 0 + 1, x, None)
    assert (found.mean == 0).all()
    assert (found.total, found.error) == (0, 0)
