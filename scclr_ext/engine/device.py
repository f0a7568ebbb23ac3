"""The devices, the processes and the precision a run uses."""

from __future__ import annotations

import sys

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


def make_fabric(device: torch.device, *, devices: int = 1, num_nodes: int = 1) -> Fabric:
    """Wrap one device, or start the processes that share the work on several and join them.

    Raises
    ------
    ValueError
        Where several processes are asked for in a notebook, or the numbers make no sense.
    """
    if devices < 1 or num_nodes < 1:
        msg = f"`devices` and `num_nodes` must be at least 1; found {devices} and {num_nodes}."
        raise ValueError(msg)
    if devices * num_nodes == 1:
        return Fabric(accelerator=device.type, devices=1 if device.type == "cpu" else [device.index or 0])
    if hasattr(sys, "ps1"):
        msg = (
            f"`devices={devices}` needs processes of its own, which a notebook cannot start; run "
            f"`python -m scclr_ext embed in.h5ad out.h5ad --devices {devices}` in a shell instead."
        )
        raise ValueError(msg)
    if device.type == "mps":
        msg = f"`devices={devices}`: an Apple GPU is only one; use devices=1, or device='cpu'."
        raise ValueError(msg)
    fabric = Fabric(accelerator=device.type, devices=devices, num_nodes=num_nodes, strategy="ddp")
    fabric.launch()
    return fabric
