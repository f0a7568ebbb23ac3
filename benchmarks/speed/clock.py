"""Timing that a busy machine disturbs little: alternatives take turns, and the fastest turn of each counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def fastest(alternatives: Mapping[str, Callable[[], object]], *, turns: int = 40, threads: int = 1) -> dict[str, float]:
    """Return the seconds of the fastest of many turns of each alternative; a first turn does not count.

    Processor seconds of this thread where it works alone, so that waiting for a core is not counted; with several
    threads seconds on the clock, which want a machine that does nothing else.
    """
    clock = time.thread_time if threads == 1 else time.perf_counter
    for call in alternatives.values():
        call()
    best = dict.fromkeys(alternatives, float("inf"))
    for _ in range(turns):
        for name, call in alternatives.items():
            start = clock()
            call()
            best[name] = min(best[name], clock() - start)
    return best
