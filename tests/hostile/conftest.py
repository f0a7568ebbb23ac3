"""The AnnData that the cases change; each test changes a copy."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture(scope="session")
def bases() -> dict[str, AnnData]:
    rows = runpy.run_path(str(Path(__file__).parent / "rows.py"))
    return {"counts": rows["make_counts"](), "ready": rows["make_ready"]()}
