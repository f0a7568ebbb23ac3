"""The AnnData that the cases change; each test changes a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hostile.rows import make_counts, make_ready

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture(scope="session")
def bases() -> dict[str, AnnData]:
    return {"counts": make_counts(), "ready": make_ready()}
