"""A synthetic AnnData, and figures that do not outlive their test."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

SYNTHETIC = Path(__file__).parent / "synthetic.py"


@pytest.fixture(scope="session")
def make_embedded() -> Callable[..., AnnData]:
    return runpy.run_path(str(SYNTHETIC))["make_embedded"]
