"""Work ahead on a thread: order, errors, interruptions, and how far ahead."""

from __future__ import annotations

import threading
import time

import pytest

from scclr_ext.engine.prefetch import prefetch


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_results_in_order(n) -> None:
    assert list(prefetch(lambda x: x * x, list(range(n)))) == [x * x for x in range(n)]


def test_one_ahead_and_on_another_thread() -> None:
    started, threads = [], set()

    def read(i):
        started.append(i)
        threads.add(threading.current_thread())
        return i

    for i in prefetch(read, list(range(6))):
        time.sleep(0.02)
        assert max(started) == min(i + 1, 5)  # the next one already, the one after it not yet
    assert threads.isdisjoint({threading.main_thread()})
    assert len(threads) == 1


def test_an_error_comes_through() -> None:
    def read(i):
        if i == 2:
            raise OSError("disk")
        return i

    seen = []
    with pytest.raises(OSError, match="disk"):
        for i in prefetch(read, list(range(5))):
            seen.append(i)
    assert seen == [0, 1]


def test_leaving_early_stops_the_thread() -> None:
    before = threading.active_count()
    for i in prefetch(lambda x: x, list(range(100))):
        if i == 3:
            break
    time.sleep(0.05)
    assert threading.active_count() == before


def test_a_bar_is_shown_when_asked_for(capsys) -> None:
    assert list(prefetch(str, [1, 2], description="Reading")) == ["1", "2"]
    assert "Reading" in capsys.readouterr().err
    assert list(prefetch(str, [1, 2])) == ["1", "2"]
    assert capsys.readouterr().err == ""
