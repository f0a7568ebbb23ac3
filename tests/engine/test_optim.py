"""Optimiser and learning rate of a config."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, Adam, AdamW

from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.history import Plan
from scclr_ext.engine.optim import Cooling, build_optimizer, build_schedule


def rates(config: MethodConfig, plan: Plan) -> list[float]:
    """The rate each step is taken with."""
    optimizer = build_optimizer(nn.Linear(2, 2), config)
    schedule = build_schedule(optimizer, config, plan)
    found = []
    for _ in range(plan.total_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize(("name", "kind"), [("adam", Adam), ("adamw", AdamW), ("sgd", SGD)])
def test_the_optimizer_and_its_settings(name, kind) -> None:
    config = MethodConfig(steps=1, optimizer=name, learning_rate=0.25, weight_decay=1e-3)
    optimizer = build_optimizer(nn.Linear(2, 2), config)
    assert type(optimizer) is kind
    assert optimizer.defaults["lr"] == 0.25
    assert optimizer.defaults["weight_decay"] == 1e-3
    if name == "sgd":
        assert optimizer.defaults["momentum"] == 0.9


def test_only_what_learns_is_optimised() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2).requires_grad_(False))
    optimizer = build_optimizer(model, MethodConfig(steps=1))
    assert [p.shape for p in optimizer.param_groups[0]["params"]] == [(3, 2), (3,)]


@pytest.mark.parametrize("steps_per_epoch", [1, 3])
@pytest.mark.parametrize("horizon", [None, 8, 500, 4])
def test_cosine(steps_per_epoch, horizon) -> None:
    lr, final, epochs = 0.4, 1e-3, 8
    config = MethodConfig(
        epochs=epochs, learning_rate=lr, schedule="cosine", schedule_epochs=horizon, final_rate=final, optimizer="adam"
    )
    found = rates(config, Plan(epochs * steps_per_epoch, steps_per_epoch))
    length = horizon or epochs
    expected = []
    for step in range(epochs * steps_per_epoch):
        epoch = min(step // steps_per_epoch, length)  # it stays at its end
        lowest = lr * final
        expected.append(lowest + (lr - lowest) * (1 + math.cos(math.pi * epoch / length)) / 2)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("steps_per_epoch", [3, 8, 1000])
def test_cosine_over_a_number_of_steps_falls_step_by_step_however_long_an_epoch_is(steps_per_epoch) -> None:
    found = rates(MethodConfig(steps=8, schedule="cosine", learning_rate=1.0), Plan(8, steps_per_epoch))
    assert found == pytest.approx([(1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)])


def test_cosine_is_pytorchs_own() -> None:
    config = MethodConfig(epochs=6, schedule="cosine", learning_rate=0.4, final_rate=1e-3, optimizer="sgd")
    optimizer = build_optimizer(nn.Linear(2, 2), config)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6, eta_min=0.4e-3)
    expected = []
    for _ in range(6):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert rates(config, Plan(6, 1)) == pytest.approx(expected)


def test_constant() -> None:
    assert rates(MethodConfig(steps=20, schedule="constant", learning_rate=0.3), Plan(20, 4)) == [0.3] * 20


@pytest.mark.parametrize("warm_up", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_one_cycle_warms_up_and_goes_down(optimizer, warm_up) -> None:
    config = MethodConfig(steps=100, schedule="one-cycle", learning_rate=0.3, optimizer=optimizer, warm_up=warm_up)
    found = rates(config, Plan(100, 4))
    peak = found.index(max(found))
    assert max(found) == pytest.approx(0.3, rel=0.02)
    assert peak == pytest.approx(100 * warm_up, abs=2)
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert found[0] < 0.05
    assert found[-1] < 0.003


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_a_few_steps_have_no_room_for_a_cycle(steps) -> None:
    assert rates(MethodConfig(steps=steps, schedule="one-cycle", learning_rate=0.3), Plan(steps, 1)) == [0.3] * steps


def test_the_shortest_cycle_runs() -> None:
    assert len(rates(MethodConfig(steps=10, schedule="one-cycle"), Plan(10, 1))) == 10


@pytest.mark.parametrize(("warm_up", "steps"), [(0.05, 19), (1 / 16, 15), (0.02, 49), (0.01, 99)])
def test_a_warm_up_of_one_step(warm_up, steps) -> None:
    found = rates(MethodConfig(steps=steps, schedule="one-cycle", learning_rate=0.3, warm_up=warm_up), Plan(steps, 1))
    assert 0 < min(found) <= found[0] < 0.3
    assert found[1:] == sorted(found[1:], reverse=True)
    near = rates(
        MethodConfig(steps=steps, schedule="one-cycle", learning_rate=0.3, warm_up=1.01 * warm_up), Plan(steps, 1)
    )
    assert found[1:] == pytest.approx(near[1:], rel=0.02)


@given(total=st.integers(1, 3000), stop=st.none() | st.integers(1, 3000))
def test_cooling_ends_a_training_with_a_rate_of_nearly_zero(total, stop) -> None:
    cooling, factors, step = Cooling(total), [], 0
    while step < cooling.end:
        step += 1
        factors.append(cooling.factor(step))
        if stop is not None and step >= stop:
            cooling.begin(step)
    assert step <= total
    assert all(0 < f <= 1 for f in factors)
    falls = np.diff([*factors, 0.0])
    assert (falls <= 1e-12).all(), "it never rises again"
    cooled = [f for f in factors if f < 1]
    if stop is not None and stop < total / 1.25 - 1:
        assert factors[stop - 1] == 1
        assert len(cooled) == step - stop == min(total - stop, max(10, math.ceil(stop / 4)))
    else:
        assert len(cooled) <= total / 4 + 1
    again = Cooling(1)
    again.load_state_dict(cooling.state_dict())
    assert (again.start, again.end) == (cooling.start, cooling.end)


def test_the_warm_up_of_a_training_whose_end_is_open() -> None:
    config = MethodConfig(steps=1000, early_stopping=True, warm_up=0.3)
    found = rates(config, Plan(1000, 10))
    assert found[:60] == pytest.approx([1e-3 * (i + 1) / 60 for i in range(60)])
    assert found[60:] == pytest.approx([1e-3] * 940)
