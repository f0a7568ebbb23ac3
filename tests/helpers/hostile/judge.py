"""What an honest refusal looks like."""

from __future__ import annotations

import builtins
import inspect
import linecache
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scclr_ext as clr

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = str(Path(clr.__file__).parent)
NAMES_THE_PLACE = re.compile(r"`\w+|\w=|adata|\bobs\b|\buns\b|obsm|AnnData")
SAYS_WHAT_TO_DO = re.compile(
    r"\b(add|allow|call|check|choose|convert|divide|drop|embed|fill|found|give|leave|lower|make|must|name|need|needed|needs|"
    r"nothing to work on|pass|put|read|remove|replace|run|say|train|transform|update|use|writes|compare)\b",
    re.IGNORECASE,
)


def documented(function: Callable[..., Any]) -> tuple[type[BaseException], ...]:
    """Read which exceptions a docstring announces."""
    doc = inspect.getdoc(function) or ""
    section = re.search(r"\nRaises\n-+\n(.*?)(\n\n[A-Z][\w ]+\n-+\n|\Z)", doc, re.DOTALL)
    names = re.findall(r"^(\w+)$", section.group(1), re.MULTILINE) if section else []
    return tuple(getattr(builtins, name, None) or getattr(clr.io, name) for name in names)


def faults(error: BaseException, function: Callable[..., Any]) -> list[str]:
    """List what is wrong with an exception as an answer to a user; empty where nothing is."""
    found = []
    if not isinstance(error, documented(function)):
        found.append(f"{type(error).__name__} is not in the docstring")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    if not frame.filename.startswith(PACKAGE) or not line.startswith("raise "):
        found.append(f"it came out of {frame.filename}:{frame.lineno} `{line}` instead of being raised on purpose")
    message = str(error.args[0]) if error.args else ""
    if not NAMES_THE_PLACE.search(message):
        found.append("it does not name the argument or key")
    if not SAYS_WHAT_TO_DO.search(message):
        found.append("it does not say what to do")
    return [f"{fault}: {type(error).__name__}: {message}" for fault in found]
