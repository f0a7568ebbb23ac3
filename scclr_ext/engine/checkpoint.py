"""The state of a training on disk: written whole or not at all, taken up where it was left."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from scclr_ext._warn import warn

if TYPE_CHECKING:
    import numpy as np

    from scclr_ext.engine.config import MethodConfig

_FILE = "checkpoint.pt"
_SECONDS = 10.0
"""Least time between two writings: a short training should not wait for the disk."""


def check_resume(folder: str | Path | None, *, resume: bool) -> None:
    """Refuse to resume from nowhere, and to write over another training; looks only.

    Raises
    ------
    ValueError
        Where no folder is named that is to be resumed from.
    FileExistsError
        Where the folder holds a checkpoint already and it is not to be resumed.
    NotADirectoryError
        Where it is no folder.
    """
    if folder is None:
        if resume:
            msg = "`resume=True` needs `checkpoint_dir`, the folder that the interrupted training was saved in."
            raise ValueError(msg)
        return
    if Path(folder).exists() and not Path(folder).is_dir():
        msg = f"`checkpoint_dir` is the file {folder}; name a folder."
        raise NotADirectoryError(msg)
    if (file := Path(folder) / _FILE).exists() and not resume:
        msg = f"`checkpoint_dir` holds {file} already; pass resume=True to go on, or name another folder."
        raise FileExistsError(msg)


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
    OSError
        Where nothing can be written there.
    """

    def __init__(self, folder: str | Path, run: str, *, resume: bool = False) -> None:
        self.file = Path(folder) / _FILE
        self.resume = resume
        self._run = run
        self._last = time.monotonic()
        # Of a name of its own: another process may have been started in the same folder, with the same job even.
        self._partial = self.file.with_name(f"checkpoint-{secrets.token_hex(4)}.part")
        check_resume(folder, resume=resume)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._partial.write_bytes(b"")
            self._partial.unlink()
        except OSError as error:
            msg = f"Nothing can be saved in `checkpoint_dir`, {folder} ({error.strerror}); name another folder."
            raise type(error)(msg) from error

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
        """Write the state; whatever happens, a whole checkpoint stays there.

        Warns
        -----
        UserWarning
            Where it cannot be written: a training is worth more than its checkpoint.
        """
        try:
            torch.save({"run": self._run, "state": state}, self._partial)
            self._partial.replace(self.file)
        except (OSError, RuntimeError) as error:  # the latter is torch's, where it cannot open the file
            about = (str(error).splitlines() or [type(error).__name__])[0]
            warn(
                f"The state of the training could not be saved to {self.file} ({about}). The training goes on; what "
                "was saved before stays."
            )
        finally:
            with suppress(OSError):
                self._partial.unlink(missing_ok=True)
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
