"""Work ahead on a thread: the next block is read while this one is used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result], items: Sequence[Item], *, description: str | None = None
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order, while a thread already works on the next one.

    Parameters
    ----------
    function
        Called on another thread, one item at a time.
    items
        What it is called with.
    description
        Text of a progress bar; None shows none.
    """
    bar = tqdm(total=len(items), desc=description, unit="block", disable=description is None, leave=False)
    with bar, ThreadPoolExecutor(1, thread_name_prefix="scclr_ext") as thread:
        ahead = None
        try:
            for item in items:
                ready, ahead = ahead, thread.submit(function, item)
                if ready is not None:
                    yield ready.result()
                    bar.update()
                    del ready  # or a block would live on while the next but one is read
            if ahead is not None:
                yield ahead.result()
                bar.update()
        finally:
            if ahead is not None:
                ahead.cancel()
