"""Tables and figures of the page on the papers, from the results: ``python -m benchmarks.papers.report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.papers._beside import beside
from benchmarks.papers._experiment import Borrowed
from benchmarks.papers.draw import COLORS
from benchmarks.papers.experiments import EXPERIMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.papers._experiment import Experiment

DOCS = Path(__file__).parents[2] / "docs"


def write(experiments: Iterable[Experiment | Borrowed], docs: Path = DOCS, results: Path | None = None) -> None:
    """Write a piece of the page for each experiment, and its figure.

    Parameters
    ----------
    experiments
        Those to write.
    docs
        Folder of the documentation.
    results
        Where the rows are, if not where each experiment keeps them.
    """
    tables, figures = docs / "tables", docs / "_static" / "papers"
    for folder in (tables, figures):
        folder.mkdir(parents=True, exist_ok=True)
    for experiment in experiments:
        path = experiment.path() if results is None else results / f"{experiment.name}.csv"
        rows = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(experiment.key))
        text = [f"### {experiment.title}", f"**In the paper** ({experiment.paper}). {experiment.published}"]
        text += [f"**Here.** {experiment.here} {measured(experiment, rows)}"]
        chosen = getattr(experiment, "choose", None)
        shown = in_order(experiment, rows if chosen is None else chosen(rows))
        text += [beside(experiment.beside, shown)]
        text += [table.text(shown) for table in experiment.tables]
        if experiment.figure is not None and len(shown):
            figure = experiment.figure(shown)
            figure.savefig(figures / f"{experiment.name}.png", dpi=130)
            plt.close(figure)
            text.append(f"![{experiment.title}](_static/papers/{experiment.name}.png)")
        (tables / f"papers_{experiment.name}.md").write_text("\n\n".join(filter(None, text)) + "\n", encoding="utf-8")


def measured(experiment: Experiment | Borrowed, rows: pd.DataFrame) -> str:
    """Say how many of the experiment's runs there are."""
    jobs = set(experiment.jobs())
    there = set(rows[list(experiment.key)].itertuples(index=False, name=None))
    done = sum(job in there for job in jobs)
    if done == len(jobs):
        return f"All {done} runs are here."
    return (
        f"{done} of {len(jobs)} runs are here; `python -m benchmarks.papers --only {experiment.name}` does the others."
    )


def in_order(experiment: Experiment | Borrowed, rows: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows as the experiment names its data and methods; those it no longer has are left out."""
    if rows.empty:
        return rows
    if isinstance(experiment, Borrowed):
        known = {name: i for i, name in enumerate(COLORS)}
        return rows.sort_values("method", key=lambda names: names.str.removesuffix(" (told)").map(known), kind="stable")
    tiny = [] if rows["data"].isin(experiment.data).any() else rows["data"].unique().tolist()
    for column, names in (("data", [*experiment.data, *tiny]), ("method", list(experiment.methods))):
        rows = rows[rows[column].isin(names)]
        rows = rows.assign(**{column: pd.Categorical(rows[column], names)})
    rows = rows.sort_values(["data", "method", "seed"])
    return rows.astype({"data": str, "method": str})


if __name__ == "__main__":
    write(EXPERIMENTS.values())
