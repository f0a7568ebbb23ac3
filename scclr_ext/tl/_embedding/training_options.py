"""What a call may change about a preset without writing a config."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scclr_ext._checks import check_whole

if TYPE_CHECKING:
    from scclr_ext.engine.methods import Resolved


def with_options(
    choice: Resolved,
    *,
    n_epochs: int | None,
    n_steps: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    early_stopping: bool | None,
) -> Resolved:
    """Return `choice` with the options that are not None; where they change something, its preset is ``"custom"``.

    Raises
    ------
    ValueError
        Where `n_epochs` and `n_steps` are both given, or an option cannot be.
    """
    if n_epochs is not None and n_steps is not None:
        msg = f"`n_epochs` and `n_steps` exclude one another; found {n_epochs} and {n_steps}."
        raise ValueError(msg)
    changes: dict[str, Any] = {}
    if n_epochs is not None:
        check_whole(1, n_epochs=n_epochs)
        changes |= {"epochs": n_epochs, "steps": None}
    if n_steps is not None:
        check_whole(1, n_steps=n_steps)
        changes |= {"steps": n_steps, "epochs": None}
    given = {"batch_size": batch_size, "learning_rate": learning_rate, "early_stopping": early_stopping}
    changes |= {name: value for name, value in given.items() if value is not None}
    config = replace(choice.config, **changes)
    return choice._replace(config=config, preset=choice.preset if config == choice.config else "custom")
