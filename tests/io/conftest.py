"""A small trained model, and a way to write folders that lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scclr_ext.io._files import checksum

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parent / "fixtures" / "format-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a stored model that a test may spoil."""
    return Path(shutil.copytree(FIXTURES / "scclr", tmp_path / "model"))


@pytest.fixture
def rewrite() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Change what `model.json` says and renew its checksum, as an attacker would."""

    def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
        path = folder / "model.json"
        document = json.loads(path.read_text())
        edit(document)
        document["checksum"] = checksum(document)
        path.write_text(json.dumps(document))

    return change
