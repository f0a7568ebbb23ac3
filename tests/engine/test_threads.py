"""Threads stay as many as they were."""

from __future__ import annotations

import pytest
import torch

from scclr_ext.engine.threads import same_threads


@pytest.fixture(autouse=True)
def _threads_restored():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("before", "meanwhile"), [(1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("fails", [False, True])
def test_they_are_as_many_as_before(before, meanwhile, fails) -> None:
    torch.set_num_threads(before)

    def change() -> None:
        with same_threads():
            torch.set_num_threads(meanwhile)
            if fails:
                raise RuntimeError

    if fails:
        with pytest.raises(RuntimeError):
            change()
    else:
        change()
    assert torch.get_num_threads() == before
