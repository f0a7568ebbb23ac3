"""What a user sets once for a session: how much the package says."""

from __future__ import annotations

import logging
from dataclasses import dataclass

logger = logging.getLogger("scclr_ext")
"""The package's own logger; like any library's it stays silent until someone attaches a handler."""


@dataclass
class Settings:
    """Session-wide choices; change the attributes of :data:`scclr_ext.settings`.

    Parameters
    ----------
    progress
        Show a progress bar during training. Every function that trains also takes `progress=`, which wins.
    verbose
        Print what was added to the AnnData and where, as scanpy does at `verbosity=3`. With `False` the
        messages still reach the logger named `"scclr_ext"`.
    max_memory
        Gigabytes for the values a training looks at, where the data are not in memory (backed by a file, zarr, dask).
        Values that take more are read again in every epoch.

    Examples
    --------
    >>> import scclr_ext as clr
    >>> clr.settings.progress = False  # no bars for the rest of the session
    >>> clr.settings.progress = True
    """

    progress: bool = True
    verbose: bool = False
    max_memory: float = 4.0


settings = Settings()


def report(message: str) -> None:
    """Tell the user what was done, through the logger and, when asked for, on the screen."""
    logger.info(message)
    if settings.verbose:
        print(message)
