"""The device and precision a run uses."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric


def device_of(name: str) -> torch.device:
    """Turn what a user calls a device into a torch device; `"auto"` is CUDA, else Apple's GPU, else the CPU.

    Raises
    ------
    ValueError
        Where there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        msg = f"`device={name!r}` is not available here ({str(error).splitlines()[0]}). Use 'auto' or 'cpu'."
        raise ValueError(msg) from error
    return device


def make_fabric(device: torch.device) -> Fabric:
    """Wrap one device for the training loop."""
    if device.type == "cpu":
        return Fabric(accelerator="cpu", devices=1)
    return Fabric(accelerator=device.type, devices=[device.index or 0])
