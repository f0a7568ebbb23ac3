"""The state of a training on disk: written whole or not at all, taken up where it was left."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import numpy as np

    from scclr_ext.engine.config import MethodConfig

_FILE = "checkpoint.pt"
_SECONDS = 10.0
"""Least time between two writings: a short training should not wait for the disk."""


def check_resume(folder: str | Path | None, *, resume: bool) -> None:
    """Refuse to resume from nowhere.

    Raises
    ------
    ValueError
        Where no folder is named.
    """
    if resume and folder is None:
        msg = "`resume=True` needs `checkpoint_dir`, the folder that the interrupted training was saved in."
        raise ValueError(msg)


class Checkpoints:
    """One training's checkpoint in a folder.

    Parameters
    ----------
    folder
        Made where it is missing; holds nothing else.
    run
        What identifies the run: a checkpoint of another one is refused.
    resume
        Take up the training of the checkpoint that the folder holds, if it holds one.

    Raises
    ------
    FileExistsError
        Where the folder holds a checkpoint already and it is not to be resumed.
    """

    def __init__(self, folder: str | Path, run: str, *, resume: bool = False) -> None:
        self.file = Path(folder) / _FILE
        self.resume = resume
        self._run = run
        self._last = time.monotonic()
        if self.file.exists() and not resume:
            msg = f"`checkpoint_dir` holds {self.file} already; pass resume=True to go on, or name another folder."
            raise FileExistsError(msg)
        self.file.parent.mkdir(parents=True, exist_ok=True)

    @property
    def due(self) -> bool:
        """Whether the last writing is long enough ago."""
        return time.monotonic() - self._last >= _SECONDS

    def load(self) -> dict[str, Any] | None:
        """Return the state that was saved; None where there is none.

        Raises
        ------
        ValueError
            Where the file is damaged, or of a run with other data or settings.
        """
        if not self.resume or not self.file.exists():
            return None
        try:
            saved = torch.load(self.file, map_location="cpu", weights_only=True)  # runs no code from the file
            run, state = saved["run"], saved["state"]
        except Exception as error:  # torch raises what it likes here
            msg = f"{self.file} is no checkpoint of ours ({type(error).__name__}); remove it to start anew."
            raise ValueError(msg) from error
        if run != self._run:
            msg = (
                f"{self.file} is of a run with other data, settings or seed; name another `checkpoint_dir`. (Where the "
                "cells do not fit into memory, their order also depends on how much of it they may take.)"
            )
            raise ValueError(msg)
        return dict(state)

    def save(self, state: dict[str, Any]) -> None:
        """Write the state; whatever happens, a whole checkpoint stays there."""
        partial = self.file.with_suffix(".part")
        torch.save({"run": self._run, "state": state}, partial)
        partial.replace(self.file)
        self._last = time.monotonic()


def identify(
    config: MethodConfig, mean: np.ndarray, std: np.ndarray, batches: np.ndarray | None, **others: str | int
) -> str:
    """Say in a few letters which run this is: its data, settings and seed."""
    text = json.dumps([type(config).__name__, config.record(), others], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for values in (mean, std, batches):
        digest.update(b"none" if values is None else values.tobytes())
    return digest.hexdigest()
