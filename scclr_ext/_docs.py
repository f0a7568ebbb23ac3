"""Parameter texts that several public functions share, filled in by :func:`doc_params`."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

ADATA = """\
adata
    Annotated data matrix, cells by genes.
"""
LAYER = """\
layer
    Take the values from this layer instead of `X`.
"""
BATCH_KEY = """\
batch_key
    Column of `obs` that says which batch (donor, run, condition) a cell comes from. Not one that leaves most
    cells alone, nor a measurement.
"""
RANDOM_STATE = """\
random_state
    Seed of everything random. On the CPU the same seed gives the same bits (with the same number of threads);
    on a GPU sums run in a varying order, and results agree to rounding.
"""
COPY = """\
copy
    Return a changed copy instead of writing to `adata`.
"""
KEY_ADDED = """\
key_added
    None writes `obsm["X_clr"]` and `uns["clr"]`; any other name is used for both places.
"""


def doc_params(**texts: str) -> Callable[[F], F]:
    """Replace ``{name}`` in a docstring by a shared text, indented as the placeholder is."""

    def decorate(function: F) -> F:
        doc = function.__doc__ or ""
        for name, text in texts.items():
            lines = [line for line in doc.splitlines() if line.strip() == f"{{{name}}}"]
            for line in lines:
                margin = line[: len(line) - len(line.lstrip())]
                doc = doc.replace(line, indent(dedent(text).rstrip(), margin))
        function.__doc__ = doc
        return function

    return decorate
