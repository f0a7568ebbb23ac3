"""The package as it would be if NVIDIA's GPUs were called `"pretend"`: renamed while it is imported.

Every `"cuda"`, `torch.cuda` and `is_cuda` of scclr_ext becomes the pretend device's. Nothing on disk changes, lines and
file names in tracebacks are those of the repository, and all other branches are as they were.
"""

from __future__ import annotations

import ast
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.accelerators import ACCELERATOR_REGISTRY, Accelerator
from lightning_fabric.connector import _Connector
from lightning_fabric.strategies import SingleDeviceStrategy

from rehearsal import pretend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

PACKAGE = "scclr_ext"
_RENAMED = {"cuda": pretend.NAME, "is_cuda": f"is_{pretend.NAME}"}


def rehearse() -> None:
    """Register the pretend device, and have the package, which must not be imported yet, take it for an NVIDIA GPU."""
    if PACKAGE in sys.modules:
        msg = f"{PACKAGE} was imported before it could be renamed; a rehearsal needs a Python of its own."
        raise RuntimeError(msg)
    pretend.register()
    ACCELERATOR_REGISTRY.register(pretend.NAME, _PretendAccelerator)
    _Connector._choose_strategy = _choose_strategy
    sys.meta_path.insert(0, _Finder)


class _Renamer(ast.NodeTransformer):
    """Renames in the syntax tree, where a comment or a sentence is no name."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.copy_location(ast.Constant(pretend.NAME), node) if node.value == "cuda" else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        node.attr = _RENAMED.get(node.attr, node.attr)
        return node


class _Loader(SourceFileLoader):
    """Compiles what was renamed, and keeps none of it: the cache on disk is the package's own."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Renamer().visit(ast.parse(self.get_data(path), path))
        return compile(tree, path, "exec", dont_inherit=True)


class _Finder(PathFinder):
    """Finds the package where it is, and has it renamed."""

    @classmethod
    def find_spec(cls, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or not isinstance(found.loader, SourceFileLoader):
            return found
        loader = _Loader(fullname, found.loader.path)
        folders = found.submodule_search_locations
        return spec_from_file_location(fullname, found.origin, loader=loader, submodule_search_locations=folders)


# Fabric asks for accelerators by name, but knows for which of them to take a device other than the CPU.

_choose_usual_strategy = _Connector._choose_strategy


def _choose_strategy(connector: Any) -> Any:
    if connector._accelerator_flag == pretend.NAME:
        return SingleDeviceStrategy(device=connector._parallel_devices[0])
    return _choose_usual_strategy(connector)


class _PretendAccelerator(Accelerator):
    """What Fabric has to know of the pretend device."""

    def setup_device(self, device: torch.device) -> None:
        assert device.type == pretend.NAME

    def teardown(self) -> None:
        pass

    @staticmethod
    def parse_devices(devices: list[int]) -> list[int]:
        return devices

    @staticmethod
    def get_parallel_devices(devices: list[int]) -> list[torch.device]:
        return [torch.device(pretend.NAME, i) for i in devices]

    @staticmethod
    def auto_device_count() -> int:
        return pretend.device_count()

    @staticmethod
    def is_available() -> bool:
        return pretend.is_available()

    @staticmethod
    def name() -> str:
        return pretend.NAME
