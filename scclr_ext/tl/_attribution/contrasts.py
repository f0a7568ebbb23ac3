"""Which groups of cells are compared with which."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


class Contrast(NamedTuple):
    """One group and the groups it is compared with, as codes; with none, all cells with their average."""

    name: str
    group: int
    reference: tuple[int, ...]


def contrasts(labels: pd.Categorical, groups: Sequence[str] | None, reference: str) -> list[Contrast]:
    """List what is to be compared with what.

    Raises
    ------
    KeyError
        Where a group is not there.
    ValueError
        Where nothing is left to compare.
    """
    known = list(labels.categories)
    if len(known) == 1:
        return [Contrast(known[0], 0, ())]
    asked = known if groups is None else [groups] if isinstance(groups, str) else list(dict.fromkeys(groups))
    for name, argument in [*((group, "groups") for group in asked), (reference, "reference")]:
        if name not in known and not (argument == "reference" and name == "rest"):
            listed = ", ".join(map(repr, known[:10]))
            msg = f"`{argument}` names {name!r}, which is no group; choose from {listed}."
            raise KeyError(msg)
    chosen = [group for group in asked if group != reference]
    if not chosen:
        msg = f"`groups` names nothing but the reference ({reference!r}); add a group to compare with it."
        raise ValueError(msg)
    everything = range(len(known))
    return [
        Contrast(
            group,
            code := known.index(group),
            tuple(c for c in everything if c != code) if reference == "rest" else (known.index(reference),),
        )
        for group in chosen
    ]
