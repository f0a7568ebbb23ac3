"""The methods: one file and one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scclr_ext.engine.methods._base import DataInfo, Method, StepOutput
from scclr_ext.engine.methods._clear import CLEAR_PRESETS, Clear, ClearConfig
from scclr_ext.engine.methods._contrastive_sc import CONTRASTIVE_SC_PRESETS, ContrastiveSC, ContrastiveSCConfig
from scclr_ext.engine.methods._recipe import Recipe
from scclr_ext.engine.methods._scclr import SCCLR_PRESETS, Scclr, ScclrConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Generator

    from scclr_ext.engine.config import MethodConfig

__all__ = [
    "METHODS",
    "Clear",
    "ClearConfig",
    "ContrastiveSC",
    "ContrastiveSCConfig",
    "DataInfo",
    "Method",
    "Recipe",
    "Scclr",
    "ScclrConfig",
    "StepOutput",
    "build",
    "resolve",
]


class _Row(NamedTuple):
    config: type[MethodConfig]
    build: Callable[[Any, DataInfo, Generator], Method[Any]]
    presets: Mapping[str, MethodConfig]
    recipe: Recipe = Recipe()


METHODS: dict[str, _Row] = {
    "scclr": _Row(ScclrConfig, Scclr, SCCLR_PRESETS),
    "clear": _Row(ClearConfig, Clear, CLEAR_PRESETS),
    "contrastive-sc": _Row(
        ContrastiveSCConfig, ContrastiveSC, CONTRASTIVE_SC_PRESETS, Recipe(target_sum=None, n_top_genes=500)
    ),
}


class Resolved(NamedTuple):
    """A method's name, the preset its config equals (`"custom"` where none does), and the config."""

    method: str
    preset: str
    config: MethodConfig


def resolve(method: str | MethodConfig, preset: str | None = None) -> Resolved:
    """Find the config that a user's `method` and `preset` mean.

    Parameters
    ----------
    method
        Name of a method, or a config.
    preset
        Name of one of the method's presets; None for `"default"`. Not with a config, which says everything itself.

    Raises
    ------
    ValueError
        For an unknown method or preset, or a preset beside a config.
    TypeError
        Where `method` is neither a name nor a config.
    """
    if isinstance(method, str):
        if method not in METHODS:
            msg = f"Unknown `method` {method!r}; choose one of {', '.join(map(repr, METHODS))}."
            raise ValueError(msg)
        presets = METHODS[method].presets
        preset = "default" if preset is None else preset
        if preset not in presets:
            msg = f"Unknown `preset` {preset!r} of {method!r}; choose one of {', '.join(map(repr, presets))}."
            raise ValueError(msg)
        return Resolved(method, preset, presets[preset])
    for name, row in METHODS.items():
        if isinstance(method, row.config):
            if preset is not None:
                msg = f"`preset={preset!r}` cannot be combined with a config; leave it out."
                raise ValueError(msg)
            same = [label for label, config in row.presets.items() if config == method]
            return Resolved(name, same[-1] if same else "custom", method)
    msg = f"`method` must be a name or a method's config; found {type(method).__name__}."
    raise TypeError(msg)


def build(config: MethodConfig, data: DataInfo, generator: Generator) -> Method[Any]:
    """Build the networks of a config, their weights drawn from `generator`."""
    row = next(row for row in METHODS.values() if isinstance(config, row.config))
    return row.build(config, data, generator)
