"""What every method's config has in common: how the input is scaled and how the network is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "one-cycle"]


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """Settings that every method has; each method's config adds its own and sets the defaults.

    Parameters
    ----------
    scale
        Standardise each gene before the views are drawn.
    max_value
        Clip standardised values to plus or minus this; None clips nothing.
    temperature
        Temperature of the loss.
    batch_size
        Cells per minibatch; fewer where the data set is smaller.
    epochs
        Passes over the cells. Exactly one of `epochs` and `steps` is set.
    steps
        Minibatches in all, however many cells there are.
    drop_last
        Leave out a last, smaller minibatch of each epoch.
    optimizer
        `"adam"`, `"adamw"` or `"sgd"` (with momentum 0.9).
    learning_rate
        Its highest value.
    weight_decay
        Passed to the optimiser.
    schedule
        `"cosine"` lowers the rate once per epoch along half a cosine; `"one-cycle"` warms up and
        then lowers the rate to nearly zero; `"constant"` leaves it.
    schedule_epochs
        Epochs after which the cosine reaches its end; None means at the end of the training.
    final_rate
        The rate at the end of the cosine, as a share of `learning_rate`.
    gradient_clip
        Largest norm of the gradient; None clips nothing.
    warm_up
        Share of the steps in which one-cycle raises the rate.
    neighbor_probability
        Chance that a cell's second view is that of another cell, one of its nearest neighbours in a PCA.
    cross_batch_probability
        The same with batches: the other cell is one of its mutual nearest neighbours in other batches.
    n_neighbors
        Neighbours looked up for that; of more than 50 000 cells fewer, among 20 000 of them.
    signal_neighbors
        Without batches: let each component count by the variance of its signal, not of its signal and noise. In data
        with many zeros they are better neighbours. With batches it always does.
    early_stopping
        `epochs` or `steps` are then the most there may be: once the neighbourhoods in the representation have stopped
        settling, the rate falls to zero over as many steps again as a quarter of those taken, and the training ends.
    """

    scale: bool = True
    max_value: float | None = 10.0
    temperature: float = 0.2
    batch_size: int = 256
    epochs: int | None = None
    steps: int | None = None
    drop_last: bool = False
    optimizer: Optimizer = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Schedule = "one-cycle"
    schedule_epochs: int | None = None
    final_rate: float = 0.0
    gradient_clip: float | None = None
    warm_up: float = 0.3
    neighbor_probability: float = 0.0
    cross_batch_probability: float = 0.0
    n_neighbors: int = 15
    signal_neighbors: bool = False
    early_stopping: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, naming them; numbers of NumPy become Python's."""
        hints = get_type_hints(type(self))
        for field in fields(self):
            object.__setattr__(self, field.name, self._plain(field.name, hints[field.name]))
        self.require("temperature", self.temperature > 0, "positive")
        self.require("batch_size", self.batch_size >= 2, "at least 2 (a contrast needs two cells)")
        self.require("learning_rate", self.learning_rate > 0, "positive")
        self.require("max_value", self.max_value is None or self.max_value > 0, "positive or None")
        self.require("weight_decay", self.weight_decay >= 0, "at least 0")
        self.require("final_rate", 0 <= self.final_rate <= 1, "in [0, 1]")
        clip = self.gradient_clip
        self.require("gradient_clip", clip is None or clip > 0, "positive or None")
        horizon = self.schedule_epochs
        self.require("schedule_epochs", horizon is None or horizon >= 1, "at least 1 or None")
        self.require("warm_up", 0 < self.warm_up < 1, "between 0 and 1")
        for name in ("neighbor_probability", "cross_batch_probability"):
            self.require(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        self.require("n_neighbors", self.n_neighbors >= 1, "at least 1")
        if (self.epochs is None) == (self.steps is None):
            msg = f"Set exactly one of `epochs` and `steps`; found epochs={self.epochs}, steps={self.steps}."
            raise ValueError(msg)
        length = self.epochs if self.steps is None else self.steps
        self.require("epochs" if self.steps is None else "steps", (length or 0) >= 1, "at least 1")

    def require(self, name: str, valid: bool, wanted: str) -> None:  # noqa: FBT001
        """Raise a ValueError that names the setting unless it is valid."""
        if not valid:
            msg = f"`{name}` of {type(self).__name__} must be {wanted}; found {getattr(self, name)!r}."
            raise ValueError(msg)

    def _plain(self, name: str, hint: Any) -> Any:
        """Return the value of a setting as its annotation has it, or refuse it."""
        value = getattr(self, name)
        if get_origin(hint) in {Union, UnionType}:
            if value is None:
                return None
            (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
        if hint is bool:
            self.require(name, isinstance(value, bool | np.bool_), "True or False")
            return bool(value)
        if hint is int:
            self.require(name, _is_a(Integral, value), "a whole number")
            return int(value)
        if hint is float:
            self.require(name, _is_a(Real, value), "a number")
            return int(value) if isinstance(value, Integral) else float(value)
        if get_origin(hint) is Literal:
            *others, last = map(repr, get_args(hint))
            self.require(name, value in get_args(hint), f"{', '.join(others)} or {last}")
            return value
        if hint is str:
            self.require(name, isinstance(value, str), "a word")
            return value
        listed = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
        several = listed and all(_is_a(Integral, width) and width >= 1 for width in value)
        self.require(name, several, "the widths of layers, whole numbers of at least 1, such as (256,)")
        return tuple(int(width) for width in value)

    @property
    def uses_components(self) -> bool:
        """Whether the method wants principal components even where no neighbours are looked up among them."""
        return False

    def stand_in_probability(self, *, batched: bool) -> float:
        """Chance that a cell's second view is that of another cell, told of batches or not."""
        return self.cross_batch_probability if batched else self.neighbor_probability

    def wants_components(self, *, batched: bool) -> bool:
        """Whether principal components are needed: to look neighbours up, or where the method uses them itself."""
        return self.stand_in_probability(batched=batched) > 0 or (not batched and self.uses_components)

    def total_steps(self, steps_per_epoch: int) -> int:
        """Minibatches of the whole training."""
        return self.steps if self.steps is not None else (self.epochs or 0) * steps_per_epoch

    def record(self) -> dict[str, bool | int | float | str | list[int]]:
        """Return the settings as plain values that an AnnData can store; those that are None are left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }


def _is_a(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
