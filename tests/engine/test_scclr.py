"""scclr: what it compares, and what it hands out."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Generator, nn

from scclr_ext.engine.augment import GeneSubset
from scclr_ext.engine.losses import nt_xent
from scclr_ext.engine.methods import DataInfo, Scclr, ScclrConfig

N_GENES = 12
SMALL = {"hidden": (8,), "embedding_dim": 6, "head": (5, 4)}


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def small(n_cells: int = 50, **values) -> Scclr:
    data = DataInfo(n_cells, np.full(N_GENES, 0.5), np.full(N_GENES, 2.0))
    return Scclr(ScclrConfig(**{**SMALL, **values}), data, generator())


def cells(n: int = 7, seed: int = 1) -> torch.Tensor:
    return torch.rand(n, N_GENES, generator=generator(seed)) * 2


def test_the_layers() -> None:
    model = small()
    assert [type(layer).__name__ for layer in model.body] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert [type(layer).__name__ for layer in model.head] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    widths = [m.out_features for m in model.modules() if isinstance(m, nn.Linear)]
    assert widths == [8, 6, 5, 4]


def test_a_view_is_a_subset_of_the_genes_without_rescaling() -> None:
    model = small(mask_rate=0.7)
    assert list(model.views.steps) == [model.subset]
    assert isinstance(model.subset, GeneSubset)
    assert (model.subset.rate, model.subset.probability) == (0.7, 1.0)


@pytest.mark.parametrize("with_partner", [False, True])
def test_a_step_by_hand(with_partner) -> None:
    model = small(temperature=0.3)
    reference = copy.deepcopy(model)
    x, partner = cells(), cells(seed=2) if with_partner else None
    output = model(x, generator(5), partner)
    # Scaled, masked, and through the whole first layer together: the batch statistics are those of both views.
    both = torch.cat([x, x if partner is None else partner])
    scaled = torch.from_numpy(np.clip((both.numpy() - 0.5) / 2, -10, 10))
    draws = generator(5)
    views = torch.cat([reference.views(part, draws) for part in scaled.chunk(2)])
    lacking = [set((view == 0).all(dim=0).nonzero().ravel().tolist()) for view in views.chunk(2)]
    assert len(lacking[0]) == len(lacking[1]) > 0
    assert lacking[0] != lacking[1]
    z = nn.functional.normalize(reference.head(reference.body(views)), dim=1)
    assert output.first.detach().numpy() == pytest.approx(z[:7].detach().numpy(), abs=1e-6)
    assert output.second.detach().numpy() == pytest.approx(z[7:].detach().numpy(), abs=1e-6)
    assert float(output.loss.detach()) == pytest.approx(float(nt_xent(z[:7], z[7:], 0.3).detach()), rel=1e-6)


def test_the_embedding_is_what_goes_into_the_head() -> None:
    model = small()
    model(cells(20), generator())
    model.eval()
    z = model.represent(cells())
    assert z.shape == (7, 6)
    assert torch.equal(z, model.body(model.scaling(cells())))


def test_without_a_head_the_loss_acts_on_the_embedding() -> None:
    model = small(head=())
    output = model(cells(20), generator())
    assert output.first.shape == (20, 6)
    with_head = small()
    assert [name for name, _ in model.named_parameters()] == [
        name for name, _ in with_head.named_parameters() if not name.startswith("head")
    ]
    output.loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("n_cells", [256, 50])
def test_the_loss_of_chance_counts_the_other_views(n_cells) -> None:
    assert float(small()(cells(n_cells), generator()).chance) == pytest.approx(math.log(2 * n_cells - 1))


@pytest.mark.parametrize("value", [0.0, 0.3, 1e4])
def test_what_does_not_vary_is_not_blown_up(value) -> None:
    """What rounding leaves of a variance of zero would be scaled to one."""
    data = DataInfo(50, np.full(N_GENES, 0.5), np.full(N_GENES, 2.0), components=np.eye(3, N_GENES))
    model = Scclr(ScclrConfig(**SMALL), data, generator()).eval()
    alike = torch.full((50, N_GENES), value)
    model.finish(alike)
    assert model.scales.tolist() == [1.0, 1.0]
    assert model.represent(alike).abs().max() < 100
