"""The search for the resolution, on partitions whose number of clusters is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scclr_ext.tl._clustering.resolution import _HIGHEST, _LOWEST, Found, resolution_for


def stairs(count):
    """Make a partition function, with a record of the resolutions tried."""
    tried = []

    def partition(resolution: float) -> np.ndarray:
        tried.append(resolution)
        return np.arange(count(resolution))

    return partition, tried


def test_found_counts() -> None:
    assert Found(1.0, np.array([0, 2, 1, 2])).n_clusters == 3


@settings(max_examples=60, deadline=None)
@given(wanted=st.integers(1, 60), scale=st.floats(0.7, 20), power=st.floats(0.3, 1))
def test_a_number_that_is_on_the_stairs_is_found(wanted, scale, power) -> None:
    def count(resolution: float) -> int:
        return 1 + int(scale * resolution**power)

    reachable = count(_LOWEST) <= wanted <= count(_HIGHEST / 1.001)
    partition, tried = stairs(count)
    found = resolution_for(partition, wanted)
    assert found.n_clusters == count(found.resolution)
    assert (found.n_clusters == wanted) == reachable or not reachable
    assert len(tried) <= 20
    assert all(_LOWEST <= r <= _HIGHEST for r in tried)


def test_it_stops_at_once() -> None:
    partition, tried = stairs(lambda _: 5)
    assert resolution_for(partition, 5).resolution == 1.0
    assert tried == [1.0]


@pytest.mark.parametrize(("wanted", "nearest"), [(4, 3), (8, 9), (1, 3), (20, 9)])
def test_the_nearest_number_where_a_step_is_missing(wanted, nearest) -> None:
    partition, _ = stairs(lambda r: 3 if r < 2.2 else 9)
    found = resolution_for(partition, wanted)
    assert found.n_clusters == nearest
    assert (found.resolution < 2.2) == (nearest == 3)


def test_narrow_steps_are_found() -> None:
    partition, _ = stairs(lambda r: 2 if r < 0.9 else 3 if r < 0.9002 else 4)
    assert resolution_for(partition, 3).n_clusters == 3


def test_a_number_that_is_passed_on_the_way_down_counts() -> None:
    # Not strictly rising: more clusters at 1 than a little above.
    partition, _ = stairs(lambda r: 6 if r >= 1 else 2)
    assert resolution_for(partition, 5).n_clusters == 6
