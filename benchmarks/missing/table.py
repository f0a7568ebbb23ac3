"""The tables of the benchmark of missing types, from results.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._markdown import markdown, with_means
from benchmarks.quality.tables import FOLDER

if TYPE_CHECKING:
    import pandas as pd


def write(results: pd.DataFrame) -> None:
    """Write both tables as Markdown: by set and case, and the means."""
    shown = markdown(by_case(results), digits=2, corner="set, type left in one batch")
    (FOLDER / "missing_alone.md").write_text(shown + "\n")
    (FOLDER / "missing.md").write_text(markdown(means(results), digits=2, corner="method") + "\n")


def by_case(results: pd.DataFrame) -> pd.DataFrame:
    """How far types of one batch keep to themselves: a row per set and case, a column per method."""
    names = results["set"] + ", " + results["case"]
    return with_means(results.assign(row=names).pivot_table(index="row", columns="method", values="alone", sort=False))


def means(results: pd.DataFrame) -> pd.DataFrame:
    """All three scores of each method, over the sets, cases and seeds that all methods were measured on."""
    key = ["set", "case", "seed"]
    complete = results.groupby(key)["method"].transform("nunique") == results["method"].nunique()
    return results[complete].groupby("method")[["alone", "shared", "mixed"]].mean()
