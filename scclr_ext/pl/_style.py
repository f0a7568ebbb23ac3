"""Sizes and small habits that the panels share; set on the Axes, never in rcParams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext.pl._colors import GREY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

TITLE, LABEL, TICK, SMALL = 10.0, 9.0, 8.0, 7.0
LEGEND = {"frameon": False, "handlelength": 1.0, "handletextpad": 0.4, "columnspacing": 0.8, "borderaxespad": 0.3}
_LONGEST_NAME = 20


def dress(ax: Axes, title: str, *, xlabel: str = "", ylabel: str = "") -> None:
    """Give an axes its words, whatever the user's rcParams are."""
    ax.set_title(title, loc="left", fontsize=TITLE, fontweight="bold")
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
    text = str(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 8]}…{text[-7:]}"


def names_fit(names: Sequence[object]) -> bool:
    """Tell whether names can stand beside each other under a panel; otherwise they are turned."""
    return max((len(shorten(name)) for name in names), default=0) * len(names) <= 70
