"""Sizes and small habits that the panels share; set on the Axes, never in rcParams."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from scclr_ext.pl._colors import GREY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

TITLE, LABEL, TICK, SMALL = 10.0, 9.0, 8.0, 7.0
LEGEND = {"frameon": False, "handlelength": 1.0, "handletextpad": 0.4, "columnspacing": 0.8, "borderaxespad": 0.3}
_LONGEST_NAME = 20
_MOST_NAMES = 45
"""Below half a figure, turned."""
_ENDS, _ENDS_AROUND = (12, 7), (8, 6)
"""Characters that a long name keeps of its beginning and its end: by itself, and around what sets it apart."""
EM = 0.6
"""Width of a letter beside the size of its font."""
_APART, _WORD = 5, 4
"""Characters that are kept from the place on where names part, and at most before it, to the start of its word."""


def ink() -> str:
    """Say what colour lines and words have on the user's background."""
    return str(mpl.rcParams["text.color"])


def paper() -> str:
    """Say what colour the user's background has."""
    return str(mpl.rcParams["axes.facecolor"])


def dress(ax: Axes, title: str, *, xlabel: str = "", ylabel: str = "", pad: float | None = None) -> None:
    """Give an axes its words, whatever the user's rcParams are."""
    ax.set_title(title, loc="left", fontsize=TITLE, fontweight="bold", pad=pad)
    ax.set_xlabel(xlabel, fontsize=LABEL)
    ax.set_ylabel(ylabel, fontsize=LABEL)
    ax.tick_params(labelsize=TICK)
    ax.grid(visible=False)
    ax.spines[["top", "right"]].set_visible(False)


def note(ax: Axes, text: str) -> None:
    """Say in an otherwise empty panel why it is empty."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("")
    ax.set_ylabel("")
    ax.spines[:].set_visible(False)
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=LABEL, color=GREY)


def shorten(name: object) -> str:
    """Keep a long name from pushing the panels apart; its end often tells it from its neighbours."""
    return shorten_together([name])[0]


def shorten_together(names: Iterable[object]) -> list[str]:
    """Shorten the names that a figure holds against one another: what differs never looks alike."""
    texts = [str(name) or "(empty)" for name in names]  # matplotlib would put a name of its own
    parts: dict[str, list[int]] = {text: [] for text in texts}
    width = _APART
    while True:
        alike: dict[str, list[str]] = {}
        for text, places in parts.items():
            alike.setdefault(_cut(text, places, width), []).append(text)
        clashes = [same for same in alike.values() if len(same) > 1]
        if not clashes:
            shown = {same[0]: short for short, same in alike.items()}
            # Matplotlib would set what is between two dollar signs as a formula.
            return [shown[text].replace("$", r"\$") for text in texts]
        for same in clashes:
            first = len(os.path.commonprefix(same))
            for text in same:
                parts[text].append(first)
        # Wider each time, up to the whole name: an end is certain.
        width += 1


def _cut(text: str, places: Sequence[int], width: int) -> str:
    """Keep both ends of a long name, and what begins at the places."""
    if len(text) <= _LONGEST_NAME:
        return text
    head, tail = _ENDS_AROUND if places else _ENDS
    spans = [(0, head), (len(text) - tail, len(text))]
    for place in places:
        start = place
        while start > place - _WORD and text[start - 1].isalnum():
            start -= 1
        spans.append((start, place + width))
    kept: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        # An ellipsis takes as much room as the single letter that it would stand for.
        if kept and start <= kept[-1][1] + 1:
            kept[-1] = (kept[-1][0], max(stop, kept[-1][1]))
        else:
            kept.append((start, stop))
    return "…".join(text[start:stop] for start, stop in kept)


def width_of(host: Figure | SubFigure) -> float:
    """Return the width of a figure, or of the part of one, in inches."""
    return float(host.bbox.width / host.dpi)


def have_room(ax: Axes, shown: Sequence[str], places: Sequence[float], *, font: float = TICK) -> bool:
    """Tell whether names that are centred at these places of the x axis keep clear of one another.

    The axis has its limits, and the panel about the width that it will have.
    """
    low, high = ax.get_xlim()
    inches = np.asarray(places) / (high - low) * ax.get_window_extent().width / ax.figure.dpi
    halves = np.array([EM * font / 72 * (len(text) + 1) / 2 for text in shown])
    return bool((np.diff(inches) >= halves[1:] + halves[:-1]).all())


def names_fit(shown: Sequence[str]) -> bool:
    """Tell whether names, as they are shown, can stand beside each other under a panel; otherwise they are turned."""
    return max(map(len, shown), default=0) * len(shown) <= 70


def name_places(ax: Axes, names: Iterable[object]) -> None:
    """Write names below a panel, one at 0, 1, ...; turned where they are long, not all where they are too many."""
    shown = shorten_together(names)
    every = -(-len(shown) // _MOST_NAMES)
    ax.set_xticks(
        np.arange(0, len(shown), every),
        shown[::every],
        fontsize=TICK if len(shown) <= 30 else SMALL,
        rotation=0 if names_fit(shown) else 90,
    )
    # A few stay in the middle, instead of what is drawn above them growing into walls.
    margin = max(0.7, (7 - len(shown)) / 2)
    ax.set_xlim(-margin, len(shown) - 1 + margin)
