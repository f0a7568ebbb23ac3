"""Settings that cannot work are refused by name; the others are recorded as plain values."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Optional

import numpy as np
import pytest

from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.methods import METHODS, ClearConfig, ContrastiveSCConfig, ScclrConfig

EVERY_PRESET = [
    pytest.param(config, id=f"{name}-{preset}")
    for name, row in METHODS.items()
    for preset, config in row.presets.items()
]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", [0, -0.1, math.nan]),
        ("batch_size", [1, 0, -5]),
        ("learning_rate", [0, -1e-3, math.nan]),
        ("max_value", [0, -1.0]),
        ("optimizer", ["Adam", "rmsprop"]),
        ("schedule", ["linear", None]),
        ("steps", [0, -1]),
        ("warm_up", [0, 1, -0.5]),
        ("neighbor_probability", [-0.1, 1.1]),
        ("n_neighbors", [0]),
    ],
)
@pytest.mark.parametrize("method", [None, *METHODS])
def test_what_cannot_work_is_refused_by_name(method, name, values) -> None:
    valid = METHODS[method].presets["default"] if method else MethodConfig(steps=5)
    if name == "steps":
        valid = replace(valid, steps=1, epochs=None)
    for value in values:
        with pytest.raises(ValueError, match=rf"^`{name}` of {type(valid).__name__} must be .*; found {value!r}\.$"):
            replace(valid, **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", 2.5, "a whole number"),
        ("steps", "9", "a whole number"),
        ("steps", True, "a whole number"),
        ("batch_size", 32.0, "a whole number"),
        ("n_neighbors", None, "a whole number"),
        ("learning_rate", "0.1", "a number"),
        ("temperature", None, "a number"),
        ("gradient_clip", "1", "a number"),
        ("warm_up", True, "a number"),
    ],
)
def test_numbers_are_numbers(name, value, wanted) -> None:
    with pytest.raises(ValueError, match=f"^`{name}` of MethodConfig must be {wanted}; found {value!r}.$"):
        MethodConfig(**{"steps": 3, name: value})


def test_numbers_of_numpy_become_plain() -> None:
    given = {"steps": np.int64(3), "learning_rate": np.float32(0.5), "temperature": 1, "early_stopping": np.True_}
    config = ScclrConfig(**given, hidden=np.array([8, 4]), gradient_clip=None)
    assert config == ScclrConfig(
        steps=3, learning_rate=0.5, temperature=1.0, early_stopping=True, hidden=(8, 4), gradient_clip=None
    )
    kinds = {type(getattr(config, name)) for name in given} | {type(width) for width in config.hidden}
    assert kinds == {int, float, bool}


def test_other_settings_of_a_method_of_one_s_own() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Own(MethodConfig):
        steps: int | None = 3
        word: str = "a"
        limit: Optional[float] = None  # noqa: UP045

    assert Own(word="b", limit=np.float64(2.0)).limit == 2.0
    with pytest.raises(ValueError, match="`word` of Own must be a word; found 3"):
        Own(word=3)
    with pytest.raises(ValueError, match="`limit` of Own must be a number; found 'x'"):
        Own(limit="x")


@pytest.mark.parametrize("widths", [256, "", (0,), (-1,), ("a",), "ab", (64.0,), (True,), None])
@pytest.mark.parametrize("kind", [ClearConfig, ContrastiveSCConfig, ScclrConfig])
def test_widths_of_layers(kind, widths) -> None:
    with pytest.raises(ValueError, match=rf"^`hidden` of {kind.__name__} must be the widths.*; found"):
        kind(hidden=widths)


def test_no_layer_is_a_network_too() -> None:
    assert ScclrConfig(hidden=(), head=()).head == ()


def test_too_few_epochs() -> None:
    with pytest.raises(ValueError, match="`epochs` of MethodConfig must be at least 1; found 0"):
        MethodConfig(epochs=0)


@pytest.mark.parametrize("lengths", [{}, {"epochs": 3, "steps": 3}])
def test_exactly_one_length(lengths) -> None:
    with pytest.raises(ValueError, match="exactly one of `epochs` and `steps`"):
        MethodConfig(**lengths)


@pytest.mark.parametrize(
    ("config", "name", "values"),
    [
        *(
            (ClearConfig, f"{step}_{kind}", [-0.1, 1.1])
            for step in ("mask", "noise", "swap", "crossover", "crossover_many")
            for kind in ("rate", "probability")
        ),
        (ClearConfig, "noise_sd", [-0.2]),
        (ClearConfig, "embedding_dim", [0]),
        (ClearConfig, "momentum", [-0.1, 1.0]),
        (ClearConfig, "queue_size", [0]),
        (ClearConfig, "embed_with", ["both"]),
        (ContrastiveSCConfig, "dropout", [-0.1, 1.0]),
        (ContrastiveSCConfig, "embedding_dim", [0]),
        (ScclrConfig, "mask_rate", [-0.1, 1.0]),
        (ScclrConfig, "embedding_dim", [0]),
    ],
)
def test_what_a_method_refuses(config, name, values) -> None:
    for value in values:
        with pytest.raises(
            ValueError, match=rf"`{name}` of {config.__name__} must be .*found {re.escape(repr(value))}"
        ):
            config(**{name: value})


@pytest.mark.parametrize("momentum", [0, 0.5, 0.9999])
def test_the_momentum_of_equation_3_may_be_zero(momentum) -> None:
    assert ClearConfig(momentum=momentum).momentum == momentum


@pytest.mark.parametrize("config", EVERY_PRESET)
def test_settings_cannot_change_and_can_be_compared(config) -> None:
    with pytest.raises(FrozenInstanceError):
        config.temperature = 1.0
    assert replace(config) == config
    assert hash(replace(config)) == hash(config)
    assert replace(config, temperature=9.0) != config


@pytest.mark.parametrize("config", EVERY_PRESET)
def test_the_record_holds_plain_values_and_all_of_them(config) -> None:
    record = config.record()
    for f in fields(config):
        value = getattr(config, f.name)
        if value is None:
            assert f.name not in record
        else:
            assert record[f.name] == (list(value) if isinstance(value, tuple) else value)
    assert {type(v) for v in record.values()} <= {bool, int, float, str, list}
    # It says everything: what is missing was None.
    missing = {f.name: None for f in fields(config) if f.name not in record}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
    assert type(config)(**values, **missing) == config


def test_the_length_of_a_training() -> None:
    assert MethodConfig(epochs=30).total_steps(7) == 210
    assert MethodConfig(steps=300).total_steps(7) == 300
