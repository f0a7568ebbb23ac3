"""The devices, the processes and the precision a run uses."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

PRECISIONS = ("auto", "float32", "tf32", "bf16")
_FIRST_WITH_BF16 = (8, 0)
"""Compute capability of the first NVIDIA GPUs whose tensor cores multiply bfloat16 (Ampere)."""


def device_of(name: str) -> torch.device:
    """Turn what a user calls a device into a torch device; `"auto"` is CUDA, else Apple's GPU, else the CPU.

    Raises
    ------
    TypeError
        Where it is no name.
    ValueError
        Where there is no such device here.
    """
    if not isinstance(name, str | torch.device):
        msg = f"`device` must be a name such as 'auto', 'cpu' or 'cuda:1'; found {name!r}."
        raise TypeError(msg)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
        if device.type == "cuda" and device.index is None:
            # By number: another thread may have another GPU for its current one.
            device = torch.device("cuda", torch.cuda.current_device())
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason, usable = str(error).splitlines()[0], "'auto' or 'cpu'"
        if reason.startswith(("Expected one of", "Invalid device string")):
            reason, usable = "PyTorch knows no such device", "'auto', 'cpu', 'cuda' or 'mps'"
        msg = f"`device={name!r}` is not available here ({reason}). Use {usable}."
        raise ValueError(msg) from error
    return device


def precision_of(name: str, device: torch.device) -> str:
    """Turn what a user calls a precision into one that `device` has; `"auto"` is `"bf16"` on GPUs made for it.

    Raises
    ------
    ValueError
        Where the name is unknown, or the device cannot do it.
    """
    if name not in PRECISIONS:
        msg = f"`precision={name!r}` is unknown. Use one of {', '.join(map(repr, PRECISIONS))}."
        raise ValueError(msg)
    if name == "auto":
        made_for_it = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST_WITH_BF16
        return "bf16" if made_for_it else "float32"
    if (name == "tf32" and device.type != "cuda") or (name == "bf16" and device.type == "mps"):
        msg = f"`precision={name!r}` does not exist on {device.type!r}. Use 'auto' or 'float32'."
        raise ValueError(msg)
    return name


def free_memory(device: torch.device) -> float:
    """Bytes that a GPU has free; of other devices, which share the host's memory, no limit is known."""
    if device.type != "cuda":
        return math.inf
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, to be used again
    return float(torch.cuda.mem_get_info(device)[0] + kept)


def encoding(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Multiply matrices in bfloat16 within this context, where that is the precision; sums and weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def training(precision: str) -> Iterator[None]:
    """Allow TF32 products within this context, where that is the precision, and leave the setting as it was."""
    if precision != "tf32":  # not even asked: PyTorch refuses to say where its newer switches were used
        yield
        return
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _is_count(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def make_fabric(device: torch.device, *, devices: int = 1, num_nodes: int = 1) -> Fabric:
    """Wrap one device, or start the processes that share the work on several and join them.

    Raises
    ------
    ValueError
        Where several processes are asked for in a notebook, the numbers make no sense, or a cluster's job was started
        with others.
    """
    if not all(map(_is_count, (devices, num_nodes))):
        msg = f"`devices` and `num_nodes` must be whole numbers of at least 1; found {devices!r} and {num_nodes!r}."
        raise ValueError(msg)
    if devices * num_nodes == 1:
        # One process is nobody else's business: in a job of several SLURM tasks Fabric would look for the others.
        alone = LightningEnvironment()
        return Fabric(
            accelerator=device.type, devices=1 if device.type == "cpu" else [device.index or 0], plugins=alone
        )
    if hasattr(sys, "ps1"):
        msg = (
            f"`devices={devices}` needs processes of its own, which a notebook cannot start; run "
            f"`python -m scclr_ext embed in.h5ad out.h5ad --devices {devices}` in a shell instead."
        )
        raise ValueError(msg)
    if device.type == "mps":
        msg = f"`devices={devices}`: an Apple GPU is only one; use devices=1, or device='cpu'."
        raise ValueError(msg)
    # Queues and running statistics are in step by themselves; they need not be sent at every step.
    strategy = DDPStrategy(broadcast_buffers=False)
    try:
        fabric = Fabric(accelerator=device.type, devices=devices, num_nodes=num_nodes, strategy=strategy)
    except (RuntimeError, ValueError) as error:  # the cluster's variables say something else
        msg = f"`devices={devices}` and `num_nodes={num_nodes}` do not fit how this job was started: {error}"
        raise ValueError(msg) from error
    fabric.launch()
    return fabric
