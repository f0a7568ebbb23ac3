"""contrastive-sc against the paper and the authors' program."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, nn

from scclr_ext.engine.augment import Mask
from scclr_ext.engine.losses import nt_xent
from scclr_ext.engine.methods import METHODS, ContrastiveSC, ContrastiveSCConfig, DataInfo
from scclr_ext.engine.run import run

PRESETS = METHODS["contrastive-sc"].presets
published = pytest.mark.parametrize("preset", ["paper", "code"])


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def make(config: ContrastiveSCConfig, n_genes: int = 20, n_cells: int = 50, seed: int = 0) -> ContrastiveSC:
    return ContrastiveSC(config, DataInfo(n_cells, np.zeros(n_genes), np.ones(n_genes)), generator(seed))


@published
def test_the_number_of_parameters_of_the_paper(preset) -> None:
    model = make(PRESETS[preset], n_genes=500)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 111_180
    # 500 x 200 + 200, 200 x 40 + 40, 40 x 60 + 60, and two numbers for each of the 240 normalised units
    assert 500 * 200 + 200 + 200 * 40 + 40 + 40 * 60 + 60 + 2 * 240 == 111_180


@published
def test_the_published_settings(preset) -> None:
    c = PRESETS[preset]
    assert (c.optimizer, c.learning_rate, c.weight_decay) == ("adam", 0.4, 0)
    assert (c.epochs, c.steps, c.batch_size, c.drop_last) == (30, None, 200, False)
    assert (c.temperature, c.dropout) == (0.07, 0.9)
    assert (c.hidden, c.embedding_dim) == ((200, 40), 60)
    assert c.normalize == (preset == "code"), "of unit length in the program; the paper does not say so"
    assert (c.scale, c.max_value) == (True, None)
    assert (c.schedule, c.final_rate, c.gradient_clip) == ("cosine", 1e-3, None)
    assert c.schedule_epochs in {"paper": (None, 30), "code": (500,)}[preset]


@published
@pytest.mark.parametrize("batch_size", [200, 10])  # one step per epoch, or two
def test_the_learning_rate_of_each_epoch(preset, batch_size, tiny) -> None:
    result = run(replace(PRESETS[preset], batch_size=batch_size), tiny, device="cpu", progress=False)
    lr, lowest, horizon = 0.4, 0.4e-3, {"paper": 30, "code": 500}[preset]
    epoch = (result.history["step"] - 1) // math.ceil(20 / batch_size)
    assert sorted(set(epoch.tolist())) == list(range(30))
    expected = lowest + (lr - lowest) * (1 + np.cos(np.pi * epoch / horizon)) / 2
    assert result.history["learning_rate"] == pytest.approx(expected)


@published
def test_the_network(preset) -> None:
    layers = [type(layer).__name__ for layer in make(PRESETS[preset]).encoder]
    assert layers == ["Linear", "BatchNorm1d", "ReLU"] * 2 + ["Linear"]
    first = make(PRESETS[preset], n_genes=500).encoder[0].weight
    bound = math.sqrt(6 / 700)  # Xavier: 500 in, 200 out
    assert 0.99 * bound < first.abs().max() <= bound


@published
def test_a_view_is_input_dropout(preset) -> None:
    (mask,) = make(PRESETS[preset]).views.steps
    assert isinstance(mask, Mask)
    assert (mask.rate, mask.probability, mask.rescale) == (0.9, 1.0, True)
    x = torch.ones(400, 500)
    view = make(PRESETS[preset]).views(x, generator())
    assert sorted(view.unique().tolist()) == pytest.approx([0, 10])
    assert float((view == 0).float().mean()) == pytest.approx(0.9, abs=4.5 * math.sqrt(0.09 / view.numel()))


def test_batch_statistics_are_those_of_each_view() -> None:
    model = make(ContrastiveSCConfig(dropout=0.5, temperature=0.3))
    passed = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: passed.append(inputs[0].clone()))
    x = torch.rand(10, 20, generator=generator())
    output = model(x, generator(5))
    assert [len(view) for view in passed] == [10, 10], "one after the other, not both at once"
    assert not torch.equal(*passed)
    assert output.loss == nt_xent(output.first, output.second, 0.3)
    reference = make(ContrastiveSCConfig(dropout=0.5))
    for view, found in zip(passed, (output.first, output.second), strict=True):
        assert torch.equal(nn.functional.normalize(reference.encoder(view), dim=1), found)


def test_the_embedding_is_what_the_loss_sees() -> None:
    model = make(ContrastiveSCConfig(scale=False, normalize=True)).eval()
    x = torch.rand(6, 20, generator=generator())
    z = model.represent(x)
    assert torch.equal(z, nn.functional.normalize(model.encoder(x), dim=1))
    raw = make(ContrastiveSCConfig(scale=False, normalize=False)).eval().represent(x)
    assert torch.equal(raw, model.encoder(x))


@pytest.mark.parametrize("n_cells", [200, 50])
def test_the_loss_of_chance_counts_the_other_views(n_cells) -> None:
    output = make(PRESETS["paper"])(torch.rand(n_cells, 20, generator=generator()), generator())
    assert float(output.chance) == pytest.approx(math.log(2 * n_cells - 1))
