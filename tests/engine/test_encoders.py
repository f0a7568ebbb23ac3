"""Scaling against NumPy; layers, their order and their first weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Generator, nn

from scclr_ext.engine.encoders import Standardize, mlp
from scclr_ext.engine.moments import gene_moments


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def kinds(network: nn.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in network]


def test_standardize_is_numpys() -> None:
    x = np.random.default_rng(0).gamma(1.0, size=(60, 9)).astype(np.float32)
    expected = (x - x.mean(0)) / x.std(0, ddof=1)
    scaling = Standardize(*gene_moments(x))
    assert scaling(torch.from_numpy(x)).numpy() == pytest.approx(expected, abs=1e-5)
    clipped = Standardize(*gene_moments(x), max_value=0.7)(torch.from_numpy(x)).numpy()
    assert clipped == pytest.approx(np.clip(expected, -0.7, 0.7), abs=1e-5)
    assert clipped.max() == pytest.approx(0.7)
    assert (clipped == np.float32(-0.7)).any(), "clipped below, too"


def test_standardize_takes_some_genes_alone() -> None:
    x = torch.from_numpy(np.random.default_rng(0).gamma(1.0, size=(60, 9)).astype(np.float32))
    scaling, genes = Standardize(*gene_moments(x.numpy()), max_value=0.7), torch.tensor([7, 0, 3])
    assert torch.equal(scaling(x[:, genes], genes), scaling(x)[:, genes])


def test_standardize_uses_the_moments_of_the_data_not_of_the_minibatch() -> None:
    scaling = Standardize(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    assert scaling(torch.tensor([[3.0, 4.0]])).tolist() == [[1.0, 0.5]]
    assert scaling(torch.tensor([[3.0, 4.0]])).dtype == torch.float32


@pytest.mark.parametrize("max_value", [None, 10.0])
def test_a_constant_gene_becomes_zero(max_value) -> None:
    x = np.array([[3.0, 0.0, 1.0], [3.0, 0.0, 2.0]], dtype=np.float32)
    z = Standardize(*gene_moments(x), max_value=max_value)(torch.from_numpy(x))
    assert (z[:, :2] == 0).all()
    assert z[:, 2].numpy() == pytest.approx([-(0.5**0.5), 0.5**0.5])


@pytest.mark.parametrize("max_value", [None, 0.5])
def test_standardize_leaves_its_input(max_value) -> None:
    x = torch.randn(5, 3, generator=generator())
    before = x.clone()
    Standardize(np.zeros(3), np.ones(3), max_value=max_value)(x)
    assert torch.equal(x, before)


def test_standardize_has_nothing_to_learn_but_is_saved() -> None:
    scaling = Standardize(np.zeros(3), np.ones(3))
    assert list(scaling.parameters()) == []
    assert set(scaling.state_dict()) == {"scale", "shift"}


def test_the_layers_and_their_order() -> None:
    assert kinds(mlp((5, 4, 3), generator())) == ["Linear", "ReLU", "Linear"]
    assert kinds(mlp((5, 4, 3), generator(), last_relu=True)) == ["Linear", "ReLU", "Linear", "ReLU"]
    assert kinds(mlp((5, 4, 3), generator(), batch_norm=True)) == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert kinds(mlp((5,), generator())) == []
    network = mlp((9, 7, 5, 3), generator())
    assert [(m.in_features, m.out_features) for m in network if isinstance(m, nn.Linear)] == [(9, 7), (7, 5), (5, 3)]


def test_an_empty_network_passes_everything() -> None:
    x = torch.randn(4, 5, generator=generator())
    assert torch.equal(mlp((5,), generator(), last_relu=True)(x), x)


@pytest.mark.parametrize(("init", "bound"), [("uniform", 400**-0.5), ("xavier", (6 / 500) ** 0.5)])
def test_first_weights(init, bound) -> None:
    layer = mlp((400, 100), generator(), init=init)[0]
    weight = layer.weight.detach().numpy()
    # uniform on [-bound, bound]: the SD is bound / sqrt(3)
    assert bound * 0.99 < np.abs(weight).max() <= bound
    assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert np.abs(layer.bias.detach().numpy()).max() <= 400**-0.5
    assert layer.bias.detach().numpy().std() == pytest.approx(400**-0.5 / np.sqrt(3), rel=0.2)


@pytest.mark.parametrize("init", ["uniform", "xavier"])
def test_first_weights_come_from_the_generator_alone(init) -> None:
    before = torch.get_rng_state()
    first, again, other = (mlp((20, 10, 5), generator(s), batch_norm=True, init=init) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[0].weight, other[0].weight)
    assert all(p.isfinite().all() for p in first.parameters()), "no weight is left uninitialised"


@pytest.mark.parametrize("init", ["uniform", "xavier"])
def test_the_first_layer_leans_towards_directions(init) -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(400, 2)))[0].T
    start = (axes * [[1.0], [0.1]]).astype(np.float32)  # the second counts for a tenth
    plain = mlp((400, 300, 8), generator(), init=init)
    leaning = mlp((400, 300, 8), generator(), init=init, start=start)
    before, after = (network[0].weight.detach().numpy() for network in (plain, leaning))
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.linalg.norm(before, axis=1), rel=1e-5)
    unit = after / np.linalg.norm(after, axis=1, keepdims=True)
    # Half a random vector, half one within the plane, at a right angle nearly: half of the square each.
    assert ((unit @ axes.T) ** 2).sum(axis=1).mean() == pytest.approx(0.5, abs=0.03)
    along = unit @ axes.T
    assert abs(along[:, 0]).mean() > 4 * abs(along[:, 1]).mean()
    assert (along[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.1), "both ways"
    # Without them nothing else changes, not even what is drawn.
    assert torch.equal(plain[2].weight, mlp((400, 300, 8), generator(), init=init, start=None)[2].weight)


def test_directions_of_no_length_change_nothing() -> None:
    plain = mlp((6, 4), generator())
    leaning = mlp((6, 4), generator(), start=np.zeros((1, 6), dtype=np.float32))
    assert leaning[0].weight.detach().numpy() == pytest.approx(plain[0].weight.detach().numpy(), rel=1e-6)
