"""Long names are cut short, and those that differ still look different."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from scclr_ext.pl._style import name_places, shorten, shorten_together

ONTOLOGY = [
    f"{state} CD{kind}-positive, alpha-beta T cell"
    for state in ("naive thymus-derived", "central memory", "effector memory")
    for kind in (4, 8)
]


def test_a_single_name_keeps_both_ends() -> None:
    assert shorten("CD14-low, CD16-positive monocyte") == "CD14-low, CD…onocyte"
    assert shorten("classical monocyte") == "classical monocyte"


@pytest.mark.parametrize(
    "names",
    [
        ONTOLOGY,
        [f"GSM4557327_nasal_swab_{donor:02d}_{arm}_third_replicate" for donor in range(12) for arm in ("ctrl", "stim")],
        ["effector mem… T cell", "effector memory CD4 T cell", "effector memory CD8 T cell"],
        ["a name that goes on and on", "a name that goes on and on and on", "a name that goes on and on and on and on"],
    ],
)
def test_names_that_differ_never_look_alike(names) -> None:
    shown = shorten_together(names)
    assert len(set(shown)) == len(names)
    assert max(map(len, shown)) <= 30


def test_whatever_the_names_are() -> None:
    rng = np.random.default_rng(0)
    names = {"".join(rng.choice(list("ab "), size=size)) for size in rng.integers(15, 60, size=80)}
    names |= {f"{name[:10]}b{name[10:]}" for name in names}
    assert len(set(shorten_together(names))) == len(names)


def test_what_sets_names_apart_is_shown() -> None:
    assert shorten_together(ONTOLOGY)[-2:] == ["effector…CD4-posi…T cell", "effector…CD8-posi…T cell"]
    # The same name twice, as that of a donor in two groups, stays the same.
    assert len(set(shorten_together([ONTOLOGY[0], ONTOLOGY[0], "B cell"]))) == 2


@pytest.mark.parametrize("name", ["cost $5 and $6_{", "$x_1$ cells", "one $ only"])
def test_dollars_are_dollars(name) -> None:
    fig, ax = plt.subplots()
    shown, plain = ax.set_title(shorten(name)), ax.text(0, 0, name, parse_math=False, fontsize=ax.title.get_fontsize())
    fig.canvas.draw()
    assert shown.get_window_extent().width == pytest.approx(plain.get_window_extent().width, abs=1)
    plt.close(fig)


@pytest.mark.parametrize(("n", "written"), [(3, 3), (45, 45), (60, 30), (200, 40)])
def test_of_too_many_names_not_all_are_written(n, written) -> None:
    fig, ax = plt.subplots()
    name_places(ax, range(n))
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(i) for i in range(0, n, n // written)]
    plt.close(fig)
