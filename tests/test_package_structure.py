"""The promises the whole package makes: signatures, docstrings, the direction of imports, a quiet import."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import scclr_ext as clr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(clr.__file__).parent
API_PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
SUBPACKAGES = ("pp", "tl", "pl", "get", "io", "metrics", "datasets")
ON_ADATA = ("pp", "tl", "pl", "get")
# What a lower layer may not import, of ours and of others.
ABOVE = frozenset({"pp", "tl", "pl", "get", "datasets", "cli"})
LOWER_LAYERS = ("engine", "metrics")
NO_ANNDATA = frozenset({"anndata", "scanpy"})
LAYERS = ("engine", "metrics", "io", "pp", "tl", "get", "pl")
"""From the bottom to the top: each imports only those before it, so that there are no circles."""


def public_functions(*subpackages: str) -> dict[str, Callable[..., Any]]:
    """Map `"tl.contrastive_embed"` and the like to the functions, in alphabetical order."""
    found = {}
    for subpackage in subpackages:
        module = importlib.import_module(f"scclr_ext.{subpackage}")
        for name in sorted(module.__all__):
            if inspect.isfunction(value := getattr(module, name)):
                found[f"{subpackage}.{name}"] = value
    return found


FUNCTIONS = public_functions(*SUBPACKAGES)


def each(*subpackages: str) -> pytest.MarkDecorator:
    """Run a test once for each public function of these subpackages."""
    chosen = [name for name in FUNCTIONS if name.split(".")[0] in subpackages]
    return pytest.mark.parametrize("name", chosen)


def named_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return [p for p in inspect.signature(function).parameters.values() if p.kind not in variadic]


def docstring_sections(function: Callable[..., Any]) -> dict[str, list[str]]:
    """Split a numpydoc docstring at its underlined headings; what comes before the first is under `""`."""
    lines = (inspect.getdoc(function) or "").splitlines()
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for i, line in enumerate(lines):
        underlined = i + 1 < len(lines) and line.strip() and set(lines[i + 1]) == {"-"}
        if underlined and len(lines[i + 1]) == len(line):
            current = line
            sections[current] = []
        elif not (set(line) == {"-"} and i > 0 and lines[i - 1] == current):
            sections[current].append(line)
    return sections


def parameter_headers(function: Callable[..., Any]) -> list[str]:
    """Return the unindented lines of the Parameters section: one or several names each."""
    lines = docstring_sections(function).get("Parameters", [])
    return [line for line in lines if line and not line.startswith(" ")]


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_every_subpackage_has_public_functions(subpackage: str) -> None:
    # The tests below run over what is found: this one fails where nothing is.
    assert any(name.startswith(f"{subpackage}.") for name in FUNCTIONS), f"no public function in {subpackage}"


def test_public_names_resolve() -> None:
    for name in clr.__all__:
        assert getattr(clr, name) is not None
    assert {*SUBPACKAGES, "settings", "__version__"} <= set(clr.__all__)
    assert dir(clr) == sorted(clr.__all__)
    with pytest.raises(AttributeError, match="no_such_thing"):
        clr.no_such_thing  # noqa: B018


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_all_is_sorted_and_complete(subpackage: str) -> None:
    module = importlib.import_module(f"scclr_ext.{subpackage}")
    assert list(module.__all__) == sorted(module.__all__)
    functions = {n for n, v in vars(module).items() if inspect.isfunction(v) and not n.startswith("_")}
    assert functions <= set(module.__all__)


@each(*ON_ADATA)
def test_adata_comes_first(name: str) -> None:
    assert named_parameters(FUNCTIONS[name])[0].name == "adata"


@each("metrics")
def test_metrics_take_arrays(name: str) -> None:
    assert "adata" not in inspect.signature(FUNCTIONS[name]).parameters


@each(*SUBPACKAGES)
def test_at_most_three_positional_parameters(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    by_keyword = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    positional = [p for p in parameters if p.kind not in by_keyword]
    assert all(p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for p in positional), positional
    assert len(positional) <= 3, positional


@each(*SUBPACKAGES)
def test_no_switch_is_positional(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    switches = [p for p in parameters if isinstance(p.default, bool)]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in switches)


@each(*SUBPACKAGES)
def test_everything_is_annotated(name: str) -> None:
    signature = inspect.signature(FUNCTIONS[name])
    bare = [p.name for p in signature.parameters.values() if p.annotation is inspect.Parameter.empty]
    assert not bare
    assert signature.return_annotation is not inspect.Signature.empty


@each("pp", "tl")
def test_functions_that_write_offer_a_copy(name: str) -> None:
    signature = inspect.signature(FUNCTIONS[name])
    assert signature.return_annotation == "AnnData | None"
    last = named_parameters(FUNCTIONS[name])[-1]
    assert (last.name, last.kind, last.default) == ("copy", inspect.Parameter.KEYWORD_ONLY, False)


@each("pl")
def test_plots_follow_scanpy(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    for option in ("show", "ax", "return_fig"):
        assert parameters[option].default is None
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY
    assert "save" not in parameters


@each("pl")
def test_every_plot_has_its_table(name: str) -> None:
    assert name.replace("pl.", "get.", 1) in FUNCTIONS


@each(*SUBPACKAGES)
def test_docstring_opens_with_one_sentence(name: str) -> None:
    lines = docstring_sections(FUNCTIONS[name])[""]
    assert lines, "no docstring"
    assert lines[0].endswith(".")
    assert len(lines) == 1 or lines[1] == ""


@each(*SUBPACKAGES)
def test_docstring_covers_the_signature(name: str) -> None:
    documented = [n.strip(" *") for header in parameter_headers(FUNCTIONS[name]) for n in header.split(",")]
    assert documented == list(inspect.signature(FUNCTIONS[name]).parameters)


@each(*SUBPACKAGES)
def test_docstring_leaves_types_and_defaults_to_the_signature(name: str) -> None:
    assert not [header for header in parameter_headers(FUNCTIONS[name]) if ":" in header]
    text = "\n".join(docstring_sections(FUNCTIONS[name]).get("Parameters", []))
    assert not re.search(r"\b(default:|defaults? (is|to)\b|optional\b\.?$)", text, flags=re.IGNORECASE | re.MULTILINE)


@each(*SUBPACKAGES)
def test_docstring_has_returns_and_a_runnable_example(name: str) -> None:
    sections = docstring_sections(FUNCTIONS[name])
    assert "Returns" in sections
    assert any(line.startswith(">>> ") for line in sections.get("Examples", []))


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_api_page_lists_every_public_name(subpackage: str) -> None:
    listed = {line.strip() for line in API_PAGE.read_text(encoding="utf-8").splitlines()}
    public = {f"{subpackage}.{name}" for name in importlib.import_module(f"scclr_ext.{subpackage}").__all__}
    assert public <= listed, public - listed


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, anywhere in it, type-checking blocks included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("layer", LOWER_LAYERS)
def test_lower_layers_import_nothing_from_above(layer: str) -> None:
    files = sorted((PACKAGE / layer).rglob("*.py"))
    assert files
    for path in files:
        for module in imported_modules(path):
            top, *rest = module.split(".")
            assert top not in NO_ANNDATA, f"{path} imports {module}"
            assert top != "scclr_ext" or not rest or rest[0] not in ABOVE, f"{path} imports {module}"


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_import_only_what_is_below(layer: str) -> None:
    above = {*LAYERS[LAYERS.index(layer) + 1 :], "cli"}
    for path in sorted((PACKAGE / layer).rglob("*.py")):
        for module in imported_modules(path):
            top, *rest = module.split(".")
            assert top != "scclr_ext" or not rest or rest[0] not in above, f"{path} imports {module}"


def run_python(code: str, cwd: Path) -> str:
    """Run code in a fresh interpreter in which a warning is an error; return all it printed."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("layer", LOWER_LAYERS)
def test_lower_layers_load_without_anndata(layer: str, tmp_path: Path) -> None:
    code = f"""
import importlib, pkgutil, sys
import scclr_ext.{layer} as layer
found = [m.name for m in pkgutil.walk_packages(layer.__path__, layer.__name__ + ".")]
for name in found:
    importlib.import_module(name)
print(len(found), *sorted({set(NO_ANNDATA)!r} & set(sys.modules)))
"""
    n_modules, *unwanted = run_python(code, tmp_path).split()
    assert int(n_modules) > 0
    assert not unwanted


def test_import_is_light_quiet_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
import logging, sys
before = list(logging.getLogger().handlers)
import scclr_ext
assert logging.getLogger().handlers == before
heavy = {"torch", "scanpy", "anndata", "matplotlib", "sklearn", "lightning_fabric", "numba"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    assert run_python(code, tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_loading_everything_is_quiet_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
import logging, sys
import numpy, torch
numpy.random.seed(0); torch.manual_seed(0)
states = str(numpy.random.get_state()), torch.get_rng_state().tolist(), torch.get_num_threads()
from scclr_ext import datasets, get, io, metrics, pl, pp, tl
assert states == (str(numpy.random.get_state()), torch.get_rng_state().tolist(), torch.get_num_threads())
assert not logging.getLogger().handlers
assert "pynndescent" not in sys.modules, "importing it takes ten seconds"
"""
    assert run_python(code, tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
