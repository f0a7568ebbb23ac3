"""Contrastive self-supervised embeddings of single-cell RNA-seq data for scanpy and AnnData."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scclr_ext._settings import settings

if TYPE_CHECKING:
    from scclr_ext import datasets, get, io, metrics, pl, pp, tl

__version__ = "0.1.0"
__all__ = ["__version__", "datasets", "get", "io", "metrics", "pl", "pp", "settings", "tl"]

_SUBPACKAGES = frozenset({"datasets", "get", "io", "metrics", "pl", "pp", "tl"})


def __getattr__(name: str) -> Any:
    # Subpackages load on first use: `import scclr_ext` must not pay for torch, scanpy or matplotlib.
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
