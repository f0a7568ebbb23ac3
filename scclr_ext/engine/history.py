"""What is written down of a training while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from scclr_ext.engine.diagnostics import diagnose

if TYPE_CHECKING:
    from torch import Tensor

    from scclr_ext.engine.methods import StepOutput

_RECORDS = 50
"""A training that is few epochs long is recorded this many times instead of once per epoch."""


class Plan(NamedTuple):
    """How long a training is."""

    total_steps: int
    steps_per_epoch: int

    @property
    def record_every(self) -> int:
        """Steps between two rows of the history: an epoch, or less where epochs are long."""
        return max(1, min(self.steps_per_epoch, self.total_steps // _RECORDS))


class History:
    """Rows of numbers, one per epoch or more often where epochs are long.

    Parameters
    ----------
    plan
        How long the training is, and how often to record it.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._losses: list[Tensor] = []
        self._chances: list[Tensor] = []
        self.rows: list[dict[str, float]] = []

    def add(self, output: StepOutput) -> None:
        """Note the loss of a step, and what chance would give; they stay on the device until the next row."""
        self._losses.append(output.loss.detach())
        self._chances.append(output.chance)

    def record(self, step: int, learning_rate: float, output: StepOutput, **others: float) -> dict[str, float]:
        """Write a row: the mean loss since the last one, and chance's, and how the latest minibatch lies on the sphere.

        Raises
        ------
        FloatingPointError
            When the loss is no longer a number.
        """
        loss, chance = torch.stack([torch.stack(self._losses).mean(), torch.stack(self._chances).mean()]).tolist()
        if not np.isfinite(loss):
            msg = (
                f"The loss became {loss} by step {step} of {self._plan.total_steps}: the training diverged. "
                "Lower `learning_rate`, or use the method's default preset."
            )
            raise FloatingPointError(msg)
        self._losses.clear()
        self._chances.clear()
        row = {
            "step": step,
            "epoch": step / self._plan.steps_per_epoch,
            "loss": loss,
            "chance": chance,
            "learning_rate": learning_rate,
            **diagnose(output.first.detach(), output.second.detach()),
            **others,
        }
        self.rows.append(row)
        return row

    def columns(self) -> dict[str, np.ndarray]:
        """Return the history as arrays of one length."""
        return {name: np.array([row[name] for row in self.rows]) for name in self.rows[0]}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep; it is made right after a row was written."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up from a checkpoint."""
        self.rows = list(state["rows"])
