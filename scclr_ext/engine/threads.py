"""PyTorch's number of threads, which other libraries change."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def same_threads() -> Iterator[None]:
    """Leave PyTorch as many threads as it had: with others its sums are rounded otherwise.

    Numba's parallel loops set OpenMP's number of threads to their own, and PyTorch's is the same one.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
