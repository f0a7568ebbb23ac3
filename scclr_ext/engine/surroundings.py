"""What a notebook has told PyTorch of gradients, types, devices and autocast changes nothing, and is left as it was."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_WITH_AUTOCAST = ("cpu", "cuda", "mps")


@contextmanager
def usual_torch() -> Iterator[None]:
    """Compute with gradients, in single precision, and on the CPU unless a device is named, as PyTorch does at first.

    What is as it is at first is left alone: some of these contexts cost time in every operation. The default type is
    one for all threads, the others are each thread's own.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        if torch.empty(0).device.type != "cpu":  # older releases cannot always tell which it is
            stack.enter_context(torch.device("cpu"))
        for kind in filter(torch.is_autocast_enabled, _WITH_AUTOCAST):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if dtype != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        yield
