"""Timing that a busy machine disturbs little: alternatives take turns, and the fastest turn of each counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def fastest(alternatives: Mapping[str, Callable[[], object]], *, turns: int = 40) -> dict[str, float]:
    """Return the seconds of the fastest of many turns of each alternative; a first turn does not count.

    Processor seconds of this thread where it works alone, so that waiting for a core is not counted.
    """
    for call in alternatives.values():
        call()
    best = dict.fromkeys(alternatives, float("inf"))
    for _ in range(turns):
        for name, call in alternatives.items():
            start = time.thread_time()
            call()
            best[name] = min(best[name], time.thread_time() - start)
    return best
