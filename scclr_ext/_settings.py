"""What a user sets once for a session: how much the package says."""

from __future__ import annotations

import logging
from dataclasses import dataclass

logger = logging.getLogger("scclr_ext")
"""The package's own logger; like any library's it stays silent until someone attaches a handler."""


@dataclass(slots=True)
class Settings:
    """Session-wide choices; change the attributes of :data:`scclr_ext.settings`.

    Parameters
    ----------
    progress
        Show progress bars. What a function is told in `progress` comes first.
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

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what is no setting.

        Raises
        ------
        AttributeError
            For a name that is not a setting.
        ValueError
            For a value that the setting cannot have.
        """
        known = self.__dataclass_fields__
        if name not in known:
            msg = f"scclr_ext.settings has no {name!r}; choose one of {', '.join(map(repr, known))}."
            raise AttributeError(msg)
        if name == "max_memory":
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                msg = f"`settings.max_memory` must be a number of gigabytes above 0; found {value!r}."
                raise ValueError(msg)
        elif not isinstance(value, bool):
            msg = f"`settings.{name}` must be True or False; found {value!r}."
            raise ValueError(msg)
        object.__setattr__(self, name, value)

    def shows(self, progress: bool | None) -> bool:  # noqa: FBT001
        """Whether to show a bar, for a function's `progress`: None follows these settings."""
        return self.progress if progress is None else progress

    @property
    def max_bytes(self) -> float:
        """`max_memory` in bytes."""
        return self.max_memory * 1e9


settings = Settings()


def report(message: str) -> None:
    """Tell the user what was done, through the logger and, when asked for, on the screen."""
    logger.info(message)
    if settings.verbose:
        print(message)
