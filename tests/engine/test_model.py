"""A trained model without its data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from scclr_ext.engine.methods import METHODS
from scclr_ext.engine.model import Trained, weight_shapes, weights_of
from scclr_ext.engine.run import run

PRESETS = [(method, preset) for method, row in METHODS.items() for preset in row.presets]


def values(n_cells: int = 50, n_genes: int = 20) -> np.ndarray:
    return np.log1p(np.random.default_rng(0).poisson(1.0, (n_cells, n_genes))).astype(np.float32)


def trained(method: str, preset: str = "default", **options) -> tuple[Trained, np.ndarray]:
    config = replace(METHODS[method].presets[preset], steps=2, epochs=None)
    result = run(config, values(), device="cpu", progress=False, **options)
    return Trained(config, result.data, weights_of(result.method, 20)), result.embedding


@pytest.mark.parametrize(("method", "preset"), PRESETS)
def test_the_same_bits_as_in_the_training(method, preset) -> None:
    model, embedding = trained(method, preset)
    assert (model.embed(values(), device="cpu") == embedding).all()
    assert (model.embed(sparse.csr_matrix(values()), device="cpu") == embedding).all()
    assert model.n_dimensions == embedding.shape[1]
    assert {name: w.shape for name, w in model.weights.items()} == weight_shapes(model.config, model.data)


@pytest.mark.parametrize("method", list(METHODS))
def test_nothing_more_is_kept_than_is_needed(method) -> None:
    model, embedding = trained(method)
    for name, weight in model.weights.items():
        changed = {**model.weights, name: weight + 1}
        other = Trained(model.config, model.data, changed).embed(values(), device="cpu")
        assert not np.array_equal(other, embedding), name


@pytest.mark.parametrize("method", list(METHODS))
def test_absent_genes_are_neutral(method) -> None:
    model, _ = trained(method)
    places = np.array([7, 3, 19, 0])
    full = np.tile(model.neutral, (50, 1))
    full[:, places] = values()[:, :4]
    for part in (values()[:, :4], sparse.csr_matrix(values()[:, :4])):
        found = model.embed(part, places=places, device="cpu")
        np.testing.assert_allclose(found, model.embed(full, device="cpu"), atol=1e-6)


def test_what_a_neutral_gene_is() -> None:
    scaled, _ = trained("scclr")
    np.testing.assert_array_equal(scaled.neutral, scaled.data.mean)
    plain, _ = trained("clear")  # does not standardise
    assert (plain.neutral == 0).all()


def test_shapes_cost_no_memory() -> None:
    model, _ = trained("scclr")
    huge = replace(model.config, hidden=(2**20,), embedding_dim=2**20)
    assert weight_shapes(huge, model.data)["body.3.weight"] == (2**20, 2**20)  # 4 TB


def test_the_networks_can_be_differentiated() -> None:
    model, _ = trained("scclr")
    x = torch.from_numpy(values()).requires_grad_()
    model.networks().represent(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_the_networks_do_not_share_memory_with_the_weights() -> None:
    model, embedding = trained("contrastive-sc")
    for parameter in model.networks().parameters():
        if not parameter.is_meta:
            parameter.data.zero_()
    assert (model.embed(values(), device="cpu") == embedding).all()
