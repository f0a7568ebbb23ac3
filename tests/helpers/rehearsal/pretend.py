"""The pretend device: built from `pretend.cpp`, and known to PyTorch as `"pretend"`, with this module as its own.

What `torch.cuda` is to CUDA, this module is to it; :data:`torch.pretend` names it once it is registered.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "pretend"
SOURCE = Path(__file__).with_name("pretend.cpp")
_built: Any = None

capability: tuple[int, int] = (7, 5)
"""Below (8, 0), from where on `precision="auto"` is bfloat16; a test may set another."""
free_bytes: int = 2**40
"""A test may set another."""


def register() -> None:
    """Build the device, unless its source is as it was, and make PyTorch know it; it stays until Python ends.

    The library is kept in PyTorch's cache of extensions, or where TORCH_EXTENSIONS_DIR says.
    """
    global _built
    if _built is not None:
        return
    from torch.utils.cpp_extension import load

    # Hardly optimised: this file is mostly headers, and what computes is PyTorch's.
    _built = load("scclr_ext_pretend", [str(SOURCE)], extra_cflags=["-O1"])
    torch.utils.rename_privateuse1_backend(NAME)
    _built.register_hooks()
    torch._register_device_module(NAME, sys.modules[__name__])
    torch.utils.generate_methods_for_privateuse1_backend(for_storage=True)
    # As on CUDA, `module.to` leaves the parameters the objects they were. Otherwise only known devices have that.
    torch.__future__.set_swap_module_params_on_conversion(True)


def waits() -> Counter[str]:
    """What the processor would have waited for since :func:`forget`, and how often."""
    named = Counter(_built.counted())
    return Counter({name.removeprefix("wait: "): n for name, n in named.items() if name.startswith("wait: ")})


def copies(*, pinned: bool) -> int:
    """Copies to the device since :func:`forget`, from pinned memory or from any other."""
    return int(_built.counted().get("copies from pinned memory" if pinned else "copies from the host", 0))


def forget() -> None:
    """Count from zero."""
    _built.forget()


def forbid_waits(on: bool) -> None:
    """Make whatever would wait for the device an error, in every thread; or no longer."""
    _built.forbid_waits(on)


@contextmanager
def without_waits() -> Iterator[None]:
    """Make whatever would wait for the device an error within this context."""
    forbid_waits(True)
    try:
        yield
    finally:
        forbid_waits(False)


# What PyTorch and the package ask of a device's module


def is_available() -> bool:
    """Say yes."""
    return True


def device_count() -> int:
    """One."""
    return 1


def current_device() -> int:
    """The only one."""
    return 0


def get_device_capability(device: torch.device | None = None) -> tuple[int, int]:
    """What a test has set."""
    return capability


def mem_get_info(device: torch.device | None = None) -> tuple[int, int]:
    """What a test has set, and of how much."""
    return free_bytes, 2**40


def memory_reserved(device: torch.device | None = None) -> int:
    """Nothing is kept for later."""
    return 0


def memory_allocated(device: torch.device | None = None) -> int:
    """Nothing is kept for later."""
    return 0


def get_amp_supported_dtype() -> list[torch.dtype]:
    """Types that autocast may round to."""
    return [torch.bfloat16, torch.float16, torch.float32]


def manual_seed_all(seed: int) -> None:
    """Do nothing: the package uses no default generator."""


def _is_in_bad_fork() -> bool:
    return False
