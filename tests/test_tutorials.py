"""The committed notebooks were run from top to bottom without an error, and hold nothing of the machine they ran on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))
EXPECTED = {
    "01_quickstart",
    "02_covid_case_study",
    "03_interferon_pbmc",
    "04_pseudotime",
    "05_batches_and_mapping",
    "06_large_data",
}
MACHINE = re.compile(r"/(home|Users|tmp|root|work|opt)/|[A-Z]:\\\\|\b0x[0-9a-f]{8,}\b")
MEGABYTES = 2.5

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def test_the_tutorials_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == EXPECTED


@each_notebook
def test_listed_where_readers_look(path: Path) -> None:
    assert f"`{path.name}`" in (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")
    assert f"{{doc}}`tutorials/{path.stem}`" in (ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")


@each_notebook
def test_executed_in_order(path: Path) -> None:
    assert [cell["execution_count"] for cell in code_cells(path)] == list(range(1, len(code_cells(path)) + 1))


@each_notebook
def test_no_error_and_no_warning(path: Path) -> None:
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert [text(output["text"]) for output in outputs if output.get("name") == "stderr"] == []


@each_notebook
def test_figures_and_tables_are_shown(path: Path) -> None:
    shown = [kind for cell in code_cells(path) for output in cell["outputs"] for kind in output.get("data", ())]
    assert shown.count("image/png") >= 3
    assert "text/html" in shown


@each_notebook
def test_nothing_of_the_machine(path: Path) -> None:
    notebook = read(path)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        for output in cell.get("outputs", ()):
            words = [text(output.get("text", ""))]
            words += [text(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
            assert not MACHINE.search("\n".join(words))
    assert not MACHINE.search("\n".join(text(cell["source"]) for cell in notebook["cells"]))


@each_notebook
def test_opens_with_a_title_and_says_what_is_real(path: Path) -> None:
    first = read(path)["cells"][0]
    assert first["cell_type"] == "markdown"
    assert text(first["source"]).startswith("# ")
    words = text(first["source"]).lower()
    assert "real" in words or "simulated" in words


@each_notebook
def test_small_enough_to_keep(path: Path) -> None:
    assert path.stat().st_size < MEGABYTES * 1e6


@each_notebook
def test_links_lead_somewhere(path: Path) -> None:
    words = "\n".join(text(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)#]+)", words):
        assert target.startswith("https://") or (path.parent / target).is_file(), target
