"""The one exception for a model that cannot be read."""

from __future__ import annotations


class ModelError(ValueError):
    """What was given as a model is none, is damaged, or comes from a newer release; the message says which.

    Examples
    --------
    >>> import scclr_ext as clr
    >>> issubclass(clr.io.ModelError, ValueError)
    True
    """
