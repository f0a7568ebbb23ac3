"""What holds for every method in the registry."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Generator

from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.methods import METHODS, ClearConfig, ContrastiveSCConfig, DataInfo, Method, build, resolve

EVERY_PRESET = [(name, preset) for name, row in METHODS.items() for preset in row.presets]
every_preset = pytest.mark.parametrize(("method", "preset"), EVERY_PRESET)
N_CELLS, N_GENES = 16, 10
DATA = DataInfo(N_CELLS, np.full(N_GENES, 0.5), np.ones(N_GENES))


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def make(method: str, preset: str, seed: int = 0) -> Method:
    return build(METHODS[method].presets[preset], DATA, generator(seed))


def cells(n: int = N_CELLS) -> torch.Tensor:
    return torch.rand(n, N_GENES, generator=generator(9)) * 3


def test_the_methods_there_are() -> None:
    assert {"scclr", "clear", "contrastive-sc"} <= set(METHODS)
    assert {"paper", "code"} <= set(METHODS["clear"].presets)
    assert {"paper", "code"} <= set(METHODS["contrastive-sc"].presets)


@pytest.mark.parametrize("method", METHODS)
def test_each_has_a_recommended_preset_which_its_config_alone_gives(method) -> None:
    row = METHODS[method]
    assert row.presets["default"] == row.config()
    assert {type(config) for config in row.presets.values()} == {row.config}


@every_preset
def test_a_name_and_a_preset_find_their_config(method, preset) -> None:
    found = resolve(method, preset)
    assert found == (method, preset, METHODS[method].presets[preset])
    if preset == "default":
        assert resolve(method) == found


@every_preset
def test_a_config_is_recognised(method, preset) -> None:
    config = METHODS[method].presets[preset]
    found = resolve(replace(config))
    assert (found.method, found.config) == (method, config)
    assert METHODS[method].presets[found.preset] == config, "two presets may hold the same settings"
    assert resolve(replace(config, temperature=9.0)) == (method, "custom", replace(config, temperature=9.0))


def test_the_default_is_preferred_among_equal_presets() -> None:
    for method, row in METHODS.items():
        assert resolve(row.config()).preset == "default", method


@pytest.mark.parametrize("method", ["clear", "contrastive-sc"])
@pytest.mark.parametrize("preset", ["paper", "code"])
def test_as_published_a_cell_is_compared_with_itself(method, preset) -> None:
    config = METHODS[method].presets[preset]
    assert config.neighbor_probability == config.cross_batch_probability == 0


def test_what_resolve_refuses() -> None:
    with pytest.raises(ValueError, match=f"Unknown `method` 'CLEAR'; choose one of {', '.join(map(repr, METHODS))}"):
        resolve("CLEAR")
    with pytest.raises(
        ValueError, match="Unknown `preset` 'best' of 'clear'; choose one of 'paper', 'code', 'default'"
    ):
        resolve("clear", "best")
    with pytest.raises(ValueError, match="`preset='paper'` cannot be combined with a config"):
        resolve(ClearConfig(), "paper")
    for wrong in (ClearConfig, None, {"method": "clear"}):
        with pytest.raises(TypeError, match=f"a name or a method's config; found {type(wrong).__name__}"):
            resolve(wrong)
    with pytest.raises(TypeError, match="found MethodConfig"):
        resolve(MethodConfig(steps=1))


def test_a_config_of_ones_own() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Mine(ContrastiveSCConfig):
        dropout: float = 0.5

    assert resolve(Mine()).method == "contrastive-sc"
    assert build(Mine(), DATA, generator()).config.dropout == 0.5


@every_preset
def test_the_weights_come_from_the_generator_alone(method, preset) -> None:
    before = torch.get_rng_state()
    first, again, other = make(method, preset), make(method, preset), make(method, preset, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@every_preset
@pytest.mark.parametrize("n", [2, 5, N_CELLS])
def test_a_step(method, preset, n) -> None:
    model = make(method, preset)
    x = cells(n)
    before = x.clone()
    output = model(x, generator())
    assert torch.equal(x, before), "views are drawn from a copy"
    assert output.loss.shape == ()
    assert output.loss.isfinite()
    assert output.first.shape == output.second.shape
    assert len(output.first) == n
    for z in (output.first, output.second):
        assert z.dtype == torch.float32
        assert z.detach().norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert not torch.equal(output.first, output.second)


@pytest.mark.parametrize(("method", "preset"), [p for p in EVERY_PRESET if p[0] != "scclr"])  # test_scclr has its own
def test_the_second_views_are_drawn_from_the_partners(method, preset) -> None:
    x, partner = cells(), cells().flip(0) + 1
    for second in (None, partner):
        model, seen = make(method, preset), []
        model.views.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].clone()))
        model(x, generator(), second)
        expected = [model.scaling(x), model.scaling(x if second is None else second)]
        assert torch.equal(torch.cat(seen), torch.cat(expected))


@every_preset
def test_everything_that_learns_gets_a_gradient(method, preset) -> None:
    model = make(method, preset)
    model(cells(), generator()).loss.backward()
    learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    assert learning
    for name, p in learning:
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
    assert any(p.grad.abs().sum() > 0 for _, p in learning)


@every_preset
def test_representing_cells(method, preset) -> None:
    model = make(method, preset)
    model(cells(), generator())  # so that batch statistics exist
    model.eval()
    x = cells()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    z = model.represent(x)
    assert z.shape == (N_CELLS, model.config.embedding_dim)
    assert torch.equal(model.represent(x), z), "nothing is drawn"
    # A cell's embedding does not depend on who is beside it.
    assert model.represent(x[3:5]).detach().numpy() == pytest.approx(z[3:5].detach().numpy(), abs=1e-5)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    if getattr(model.config, "normalize", False):
        assert z.detach().norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("method", "preset"), [p for p in EVERY_PRESET if p[0] in {"scclr", "clear", "contrastive-sc"}]
)
def test_the_loss_of_chance_is_that_of_a_network_of_zeros(method, preset) -> None:
    model = make(method, preset)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    output = model(cells(), generator())
    assert float(output.loss.detach()) == pytest.approx(float(output.chance), rel=1e-5)
    assert not output.chance.requires_grad


@every_preset
def test_scaling_follows_the_config(method, preset) -> None:
    config = METHODS[method].presets[preset]
    x = cells()
    scaled = build(replace(config, scale=True, max_value=1.0), DATA, generator()).scaling(x)
    assert scaled.numpy() == pytest.approx(np.clip(x.numpy() - 0.5, -1, 1), abs=1e-6)
    assert torch.equal(build(replace(config, scale=False), DATA, generator()).scaling(x), x)


def test_a_method_must_say_what_a_step_is() -> None:
    class Half(Method[MethodConfig]):
        def forward(self, x, generator, partner=None, batches=None):
            return None

    with pytest.raises(TypeError, match="abstract"):
        Half(MethodConfig(steps=1), DATA)
