"""Texts that the docstrings of several public functions share."""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

_TEXTS = {
    "adata": """
        adata
            Annotated data matrix, cells by genes.
        """,
    "layer": """
        layer
            Take the values from this layer instead of `X`.
        """,
    "batch_key": """
        batch_key
            Column of `obs` that says which batch (donor, run, condition) a cell comes from. A measurement, or a column
            with a value of its own for most cells, is refused.
        """,
    "key_added": """
        key_added
            None writes `obsm["X_clr"]` and `uns["clr"]`; any other name is used for both places.
        """,
    "device": """
        device
            `"auto"` takes a CUDA GPU, else an Apple GPU, else the CPU; or a device's name, such as `"cuda:1"`.
        """,
    "check_values": """
        check_values
            Look at some cells, and refuse what seem to be logarithms to another base or of counts that were not
            normalised, or no logarithms at all. This may err: False takes them for what the model reads.
        """,
    "random_state": """
        random_state
            Seed of everything random. On the CPU the same seed gives the same bits (with the same number of threads);
            on a GPU sums run in a varying order, and results agree to rounding.
        """,
    "progress": """
        progress
            Show a progress bar; None follows `scclr_ext.settings.progress`.
        """,
    "copy": """
        copy
            Return a changed copy instead of writing to `adata`.
        """,
    "show": """
        show
            Show the figure. `None` follows `scanpy.settings.autoshow`.
        """,
    "return_fig": """
        return_fig
            Return the Figure and do not show it.
        """,
    "axes_returned": """
        `None` if the figure is shown, the Axes with `show=False`, the Figure with `return_fig=True`.
        """,
    "panels": """
        show
            Show the figure. `None` follows `scanpy.settings.autoshow`.
        ax
            Where to draw. A SubFigure or Figure is filled as it is (give it `layout="constrained"`); an Axes made by
            `plt.subplots` is emptied, its place divided, and its figure given that layout where it has none. In less
            than about 8 by 6 inches panels overlap. `None` makes a figure 11.5 inches wide.
        return_fig
            Return the Figure and do not show it.
        """,
    "panels_returned": """
        `None` if the figure is shown, the list of its Axes with `show=False`, the Figure with `return_fig=True`.
        """,
    "unit": """
        unit
            Column of `obs` with what was sampled independently: donors, animals, ...
        """,
    "reference": """
        reference
            A group: every other one is tested against it. None tests all groups at once.
        """,
    "paired": """
        paired
            Compare each unit with itself, leaving out those that are not in all groups compared. None does so where
            every unit is in every group.
        """,
    "units_warned": """
        UserWarning
            Where some units, not all, are in several groups, and `paired` is not given; or all cells of a group lack a
            label in another column.
        """,
    "few_units": """
        Few donors cannot give small p-values, whatever the effect: 3 against 3 unpaired no less than 0.1, 4 against 4
        no less than 0.029, 5 pairs no less than 0.0625, and three groups of two donors no less than 0.067. Where no
        more than 20 000 arrangements of the values are possible, all tests go through them and their p-values are
        exact.
        """,
}
_PLACE = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)


def shared_docs(function: F) -> F:
    """Put the shared text where a line of the docstring is its name in braces, indented as that is."""
    if function.__doc__:  # python -OO leaves none
        function.__doc__ = _PLACE.sub(
            lambda place: indent(dedent(_TEXTS[place[2]]).strip(), place[1]), function.__doc__
        )
    return function
