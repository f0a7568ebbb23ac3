"""Names of devices."""

from __future__ import annotations

import pytest
import torch

from scclr_ext.engine.device import device_of, make_fabric


def test_the_cpu() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert make_fabric(device_of("cpu")).device == torch.device("cpu")


def test_auto_is_a_device_that_is_there() -> None:
    device = device_of("auto")
    assert torch.zeros(2, device=device).sum() == 0
    if torch.cuda.is_available():
        assert device.type == "cuda"


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_order_of_auto(monkeypatch, cuda, mps, expected) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "empty", lambda *_, device: asked.append(device))
    assert device_of("auto").type == expected
    assert [d.type for d in asked] == [expected], "it is tried out before a training starts"


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "xpu-3"])
def test_what_is_not_there_is_refused_with_a_way_out(name) -> None:
    with pytest.raises(ValueError, match=rf"`device='{name}'` is not available here .*Use 'auto' or 'cpu'"):
        device_of(name)


def test_no_gpu_here() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match="`device='cuda'` is not available"):
        device_of("cuda")
