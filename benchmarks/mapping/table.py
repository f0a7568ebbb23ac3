"""The tables of the documentation, from the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks._markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "tables"
_OF_OURS = ("scclr", "scclr, moved", "clear", "clear, moved")


def write(results: pd.DataFrame) -> None:
    """Write `docs/tables/mapping_*.md`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    complete = results[results["removed"] == "none"]
    without = results[results["removed"] != "none"]
    _save("accuracy", _by_mapper(complete, ["accuracy", "balanced_accuracy"]))
    ours = complete[complete["mapper"].isin(_OF_OURS)]
    _save("confidence", _by_mapper(ours, ["accuracy", "confidence", "calibration_error", "known_called_novel"]))
    if len(without):
        _save("novelty", _by_mapper(without, ["novelty_auroc", "novel_found", "known_called_novel"]))


def _by_mapper(results: pd.DataFrame, scores: Iterable[str]) -> pd.DataFrame:
    """Mean over seeds and removed types: a row per pair, a column per score and mapper."""
    columns = {}
    for score in scores:
        means = results.pivot_table(index="pair", columns="mapper", values=score, sort=False)
        for mapper in means:
            columns[f"{score.replace('_', ' ')}: {mapper}"] = means[mapper]
    table = pd.DataFrame(columns).sort_index()
    complete = table.dropna()  # a mean over other rows in each column would compare nothing
    if len(complete):
        table.loc[f"mean of the {len(complete)} complete rows"] = complete.mean()
    return table


def _save(name: str, table: pd.DataFrame) -> None:
    (FOLDER / f"mapping_{name}.md").write_text(markdown(table, corner="pair") + "\n", encoding="utf-8")
