"""CLEAR against the paper and the authors' program."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, nn

from scclr_ext.engine.augment import Crossover, CrossoverMany, GaussianNoise, Mask, Swap
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.methods import METHODS, Clear, ClearConfig, DataInfo, _clear
from scclr_ext.engine.optim import build_optimizer

PRESETS = METHODS["clear"].presets
every_preset = pytest.mark.parametrize("preset", PRESETS)
published = pytest.mark.parametrize("preset", ["paper", "code"])
SMALL = {"hidden": (8,), "embedding_dim": 6, "scale": False}
N_GENES = 12


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def make(config: ClearConfig, n_genes: int = N_GENES, n_cells: int = 50) -> Clear:
    return Clear(config, DataInfo(n_cells, np.zeros(n_genes), np.ones(n_genes)), generator())


def small(preset: str = "default", n_cells: int = 50, **values) -> Clear:
    return make(replace(PRESETS[preset], **{**SMALL, **values}), n_cells=n_cells)


def cells(n: int = 7, seed: int = 1) -> torch.Tensor:
    return torch.rand(n, N_GENES, generator=generator(seed)) * 2


class TwoViews(nn.Module):
    """Hands out two given views in turn, instead of random ones."""

    def __init__(self, first: torch.Tensor, second: torch.Tensor) -> None:
        super().__init__()
        self.views = [first, second]

    def forward(self, x, generator):
        return self.views.pop(0)


# Published settings


@published
def test_the_settings_that_paper_and_program_share(preset) -> None:
    c = PRESETS[preset]
    rates = (c.mask_rate, c.noise_rate, c.swap_rate, c.crossover_rate, c.crossover_many_rate)
    assert rates == (0.2, 0.8, 0.1, 0.25, 0.25)
    steps = ("mask", "noise", "swap", "crossover", "crossover_many")
    assert {getattr(c, f"{step}_probability") for step in steps} == {0.5}
    assert (c.hidden, c.embedding_dim, c.last_relu, c.batch_norm, c.head) == ((1024,), 128, True, False, ())
    assert (c.momentum, c.temperature, c.queue_size, c.batch_size) == (0.999, 0.2, 1024, 512)
    assert (c.schedule, c.final_rate, c.schedule_epochs, c.gradient_clip) == ("cosine", 0, None, None)
    assert c.steps is None


def test_the_settings_of_the_paper() -> None:
    c = PRESETS["paper"]
    assert (c.optimizer, c.learning_rate, c.epochs, c.weight_decay) == ("adam", 1.0, 200, 0)
    assert (c.noise_sd, c.symmetric, c.in_batch) == (0.2, True, True)
    assert (c.embed_with, c.normalize, c.drop_last) == ("query", False, False)


def test_the_settings_of_the_program() -> None:
    c = PRESETS["code"]
    assert (c.optimizer, c.epochs, c.weight_decay) == ("sgd", 100, 1e-6)
    assert (c.noise_sd, c.symmetric, c.in_batch) == (0.5, False, False)
    assert (c.embed_with, c.normalize, c.drop_last) == ("key", True, True)


@published
def test_the_published_network(preset) -> None:
    model = make(PRESETS[preset], n_genes=30)
    for encoder in (model.query, model.key):
        shapes = [tuple(layer.weight.shape) for layer in encoder.modules() if isinstance(layer, nn.Linear)]
        assert shapes == [(1024, 30), (128, 1024)]
        assert [type(layer).__name__ for layer in encoder.body] == ["Linear", "ReLU", "Linear", "ReLU"]
    z = model.represent(torch.randn(9, 30, generator=generator()))
    assert z.shape == (9, 128)
    assert (z >= 0).all()
    assert 0 < (z == 0).float().mean() < 1, "the ReLU cuts"


def test_the_default_keeps_views_momentum_encoder_and_queue() -> None:
    model = make(PRESETS["default"])
    assert len(model.views.steps) == 5
    assert all(step.rate > 0 and step.probability > 0 for step in model.views.steps)
    assert model.config.momentum > 0
    assert len(model.queue.keys) > 0


# Views


@every_preset
def test_the_five_steps_and_their_order(preset) -> None:
    c = PRESETS[preset]
    steps = list(make(c).views.steps)
    assert [type(step) for step in steps] == [Mask, GaussianNoise, Swap, Crossover, CrossoverMany]
    names = ("mask", "noise", "swap", "crossover", "crossover_many")
    for step, name in zip(steps, names, strict=True):
        assert step.rate == getattr(c, f"{name}_rate")
        assert step.probability == getattr(c, f"{name}_probability")
    assert not steps[0].rescale
    assert steps[1].sd == c.noise_sd


def test_each_setting_reaches_its_own_step() -> None:
    values = {}
    names = ("mask", "noise", "swap", "crossover", "crossover_many")
    for i, name in enumerate(names):
        values |= {f"{name}_rate": 0.1 + 0.01 * i, f"{name}_probability": 0.6 + 0.01 * i}
    steps = small(**values, noise_sd=0.77).views.steps
    assert [s.rate for s in steps] == [values[f"{name}_rate"] for name in names]
    assert [s.probability for s in steps] == [values[f"{name}_probability"] for name in names]
    assert steps[1].sd == 0.77


def test_the_order_shows_in_a_view() -> None:
    # Noise comes after the mask (masked genes are not zero any more), crossovers after the noise (they bring back
    # values of the undistorted minibatch).
    model = small(
        mask_rate=1.0, mask_probability=1.0, noise_rate=1.0, noise_probability=1.0, swap_rate=0.0,
        crossover_rate=0.5, crossover_probability=1.0, crossover_many_rate=0.0,
    )  # fmt: skip
    x = 100 + torch.arange(40.0 * N_GENES).view(40, N_GENES)
    view = model.views(x, generator())
    borrowed = view > 50
    assert 0.4 < borrowed.float().mean() < 0.6
    assert torch.isin(view[borrowed], x).all()
    assert (view[~borrowed] != 0).all()
    assert view[~borrowed].std() == pytest.approx(0.2, rel=0.2)


@every_preset
def test_views_are_drawn_after_scaling(preset) -> None:
    data = DataInfo(50, np.full(N_GENES, 5.0), np.full(N_GENES, 2.0))
    model = Clear(replace(PRESETS[preset], **{**SMALL, "scale": True, "max_value": None}), data, generator())
    seen = []
    model.views.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    x = cells()
    model(x, generator())
    assert len(seen) == 2
    for given in seen:
        assert given.numpy() == pytest.approx(((x - 5) / 2).numpy(), abs=1e-6)


# The loss


def by_hand(query: np.ndarray, key: np.ndarray, queue: np.ndarray, temperature: float, *, in_batch: bool) -> float:
    """CLEAR, equation 1, candidate by candidate."""
    losses = []
    for i in range(len(query)):
        candidates = [key[i], *queue, *(key[k] for k in range(len(key)) if in_batch and k != i)]
        scores = [math.exp(float(query[i] @ c) / temperature) for c in candidates]
        losses.append(-math.log(scores[0] / sum(scores)))
    return float(np.mean(losses))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("head", [(), (5, 4)])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("in_batch", [False, True])
def test_a_step_by_hand(symmetric, in_batch, head, batch_norm) -> None:
    model = small(symmetric=symmetric, in_batch=in_batch, head=head, batch_norm=batch_norm, temperature=0.3)
    with torch.no_grad():  # the two encoders differ, as they do after a step
        for p in model.key.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator(3)))
    first, second = cells(seed=1), cells(seed=2)
    reference, queue = copy.deepcopy(model), model.queue.keys.double().numpy()
    model.views = TwoViews(first, second)
    output = model(cells(), generator())

    def unit(encoder: nn.Module, view: torch.Tensor) -> np.ndarray:
        z = encoder(view).detach().double().numpy()
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    pairs = [(first, second), (second, first)] if symmetric else [(first, second)]
    terms, keys = [], []
    for anchor, positive in pairs:
        query, key = unit(reference.query, anchor), unit(reference.key, positive)
        terms.append(by_hand(query, key, queue, 0.3, in_batch=in_batch))
        keys.append(key)
    assert float(output.loss.detach()) == pytest.approx(np.mean(terms), rel=1e-5)
    assert output.first.detach().numpy() == pytest.approx(unit(reference.query, first), abs=1e-5)
    assert output.second.numpy() == pytest.approx(keys[0], abs=1e-5)
    # ... and what went into the queue
    n = sum(len(k) for k in keys)
    assert int(model.queue.position) == n
    assert model.queue.keys[:n].numpy() == pytest.approx(np.concatenate(keys), abs=1e-5)
    assert np.array_equal(model.queue.keys[n:].double().numpy(), queue[n:])


@every_preset
def test_keys_do_not_meet_themselves_among_the_negatives(preset, monkeypatch) -> None:
    model = small(preset)
    negatives, original = [], _clear.info_nce

    def spy(anchor, positive, queue, *args, **values):
        negatives.append((positive.clone(), queue.clone()))
        return original(anchor, positive, queue, *args, **values)

    monkeypatch.setattr(_clear, "info_nce", spy)
    for step in range(4):
        start = model.queue.keys.clone()
        model(cells(seed=step), generator(step))  # other cells: an undistorted view of the same would give the same key
        for positive, queue in negatives:
            assert torch.equal(queue, start), "the queue of before the step, for both directions"
            told_apart = (positive != 0).sum(1) > 1  # with the last ReLU a few keys are a unit vector
            assert (torch.cdist(positive[told_apart], queue) > 1e-6).all()
        negatives.clear()


# The queue


@every_preset
@pytest.mark.parametrize("queue_size", [5, 16, 1024])
def test_the_queue_moves_by_one_minibatch_per_direction(preset, queue_size) -> None:
    model = small(preset, queue_size=queue_size)
    size = min(queue_size, 50)
    assert len(model.queue.keys) == size, "never more keys than cells"
    per_step = 2 if model.config.symmetric else 1
    moved = 0
    everything = model.queue.keys.clone()
    for step, n in enumerate((7, 7, 3, 8, 7)):
        seen = []
        hook = model.key.register_forward_hook(lambda *_, seen=seen: seen.append(_[2].detach()))
        model(cells(n), generator(step))
        hook.remove()
        assert [len(keys) for keys in seen] == [n] * per_step
        everything = torch.cat([everything, nn.functional.normalize(torch.cat(seen), dim=1)])
        moved += n * per_step
        assert int(model.queue.position) == moved % size
        assert torch.equal(model.queue.keys.roll(-moved, 0), everything[-size:])
        assert model.queue.keys.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("head", "dim"), [((), 6), ((5, 4), 4)])
def test_keys_have_the_dimensions_that_the_loss_compares(head, dim) -> None:
    model = small(head=head)
    assert model.queue.keys.shape[1] == dim
    assert model(cells(), generator()).first.shape == (7, dim)
    assert model.represent(cells()).shape == (7, 6)


# The momentum encoder


def step(model: Clear, optimizer: torch.optim.Optimizer, seed: int) -> None:
    optimizer.zero_grad()
    model(cells(seed=seed), generator(seed)).loss.backward()
    optimizer.step()
    model.after_step()


@every_preset
@pytest.mark.parametrize("momentum", [None, 0.9, 0.123456789, 0])
def test_the_momentum_update_to_the_last_bit(preset, momentum) -> None:
    model = small(preset) if momentum is None else small(preset, momentum=momentum)
    m = model.config.momentum
    optimizer = build_optimizer(model, MethodConfig(steps=1, optimizer="sgd", learning_rate=0.1))
    weight = np.float32(1 - m)
    before = [p.detach().numpy().copy() for p in model.key.parameters()]
    for seed in range(4):
        step(model, optimizer, seed)
        for i, (key, query) in enumerate(zip(model.key.parameters(), model.query.parameters(), strict=True)):
            found, new = key.detach().numpy(), query.detach().numpy()
            kept = before[i] * np.float32(m)
            rounded_twice = kept + new * weight
            rounded_once = (kept.astype(np.float64) + new.astype(np.float64) * np.float64(weight)).astype(np.float32)
            assert found.dtype == np.float32
            # A processor with fused multiply-add rounds once.
            assert ((found == rounded_once) | (found == rounded_twice)).all()
            before[i] = found.copy()
    changed = [not torch.equal(k, q) for k, q in zip(model.key.parameters(), model.query.parameters(), strict=True)]
    assert any(changed) == (m > 0)


@every_preset
def test_the_key_encoder_starts_as_a_copy_and_learns_nothing_itself(preset) -> None:
    model = small(preset)
    for (name, k), q in zip(model.key.named_parameters(), model.query.parameters(), strict=True):
        assert torch.equal(k, q), name
        assert k.data_ptr() != q.data_ptr(), name
        assert not k.requires_grad, name
    optimizer = build_optimizer(model, MethodConfig(steps=1, optimizer="sgd", learning_rate=0.1))
    before = [p.clone() for p in model.key.parameters()]
    model(cells(), generator()).loss.backward()
    optimizer.step()
    assert all(p.grad is None for p in model.key.parameters())
    assert all(torch.equal(p, b) for p, b in zip(model.key.parameters(), before, strict=True))
    assert all(p.grad is not None for p in model.query.parameters())
    # SGD keeps a momentum buffer for each parameter of the query encoder, and for nothing else.
    assert {id(p) for p in optimizer.state} == {id(p) for p in model.query.parameters()}


def test_the_key_encoder_has_its_own_batch_statistics() -> None:
    model = small(batch_norm=True, symmetric=False)
    model.views = TwoViews(cells(seed=1), cells(seed=2) + 5)
    model(cells(), generator())
    query, key = dict(model.query.named_buffers()), dict(model.key.named_buffers())
    assert set(query) == set(key)
    assert any(name.endswith("running_mean") for name in query)
    after_step = {name: value.clone() for name, value in key.items()}
    assert not torch.equal(query["body.1.running_mean"], key["body.1.running_mean"])
    model.after_step()
    assert all(torch.equal(value, after_step[name]) for name, value in key.items())


# The embedding


@every_preset
def test_which_encoder_embeds(preset) -> None:
    model = small(preset)
    with torch.no_grad():
        for p in model.key.parameters():
            p.add_(0.1)
    model.eval()
    x = cells()
    encoder = {"query": model.query, "key": model.key}[PRESETS[preset].embed_with]
    z = encoder.body(x)
    expected = nn.functional.normalize(z, dim=1) if PRESETS[preset].normalize else z
    assert torch.equal(model.represent(x), expected)
    assert not torch.equal(model.query.body(x), model.key.body(x))


@pytest.mark.parametrize("embed_with", ["query", "key"])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_embedding_is_what_goes_into_the_head(embed_with, normalize) -> None:
    model = small(head=(5, 4), embed_with=embed_with, normalize=normalize).eval()
    encoder = getattr(model, embed_with)
    given = []
    encoder.head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    encoder(cells())
    expected = nn.functional.normalize(given[0], dim=1) if normalize else given[0]
    assert torch.equal(model.represent(cells()), expected)


@pytest.mark.parametrize(
    ("preset", "n_cells", "batch", "candidates"),
    [
        ("paper", 5000, 512, 512 + 1024),
        ("code", 5000, 512, 1 + 1024),
        ("paper", 100, 100, 100 + 100),
        ("code", 100, 100, 1 + 100),
    ],
)
def test_the_loss_of_chance_counts_the_candidates(preset, n_cells, batch, candidates) -> None:
    output = small(preset, n_cells=n_cells)(cells(batch), generator())
    assert float(output.chance) == pytest.approx(math.log(candidates))


def test_the_loss_of_chance_leaves_out_the_keys_of_other_batches() -> None:
    model = small(n_cells=40, queue_size=30, in_batch=False)
    mine, theirs = torch.zeros(10, dtype=torch.long), torch.ones(10, dtype=torch.long)
    for batches in (mine, theirs, theirs):
        model(cells(10), generator(), batches=batches)
    assert float(model(cells(10), generator(), batches=mine).chance) == pytest.approx(math.log(1 + 10))
    assert float(model(cells(10), generator(), batches=mine).chance) == pytest.approx(math.log(1 + 10))
    assert float(model(cells(10), generator(), batches=mine).chance) == pytest.approx(math.log(1 + 20))


# Batches


@pytest.mark.parametrize("in_batch", [False, True])
def test_keys_of_other_batches_are_no_negatives(in_batch) -> None:
    model, x = small(queue_size=8, in_batch=in_batch), cells(4)
    first, second = x + 0.1, x - 0.1
    model.queue.enqueue(torch.randn(8, 6, generator=generator(5)), torch.tensor([0, 1, 0, 1, 1, 0, 1, 1]))
    expected = copy.deepcopy(model)
    expected.queue.keys = model.queue.keys[[1, 3, 4, 6, 7]]
    losses = []
    for which, batches in ((model, torch.ones(4, dtype=torch.long)), (expected, None)):
        which.views = TwoViews(first, second)
        losses.append(float(which(x, generator(), None, batches).loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert model.queue.batches[:4].tolist() == [1, 1, 1, 1], "what was enqueued carries its batch"


def test_the_keys_of_a_symmetric_step_carry_their_batches() -> None:
    model, x = small("paper", queue_size=8), cells(3)
    model(x, generator(), None, torch.tensor([2, 0, 1]))
    assert model.queue.batches.tolist() == [2, 0, 1, 2, 0, 1, -1, -1]
