"""The table of the benchmark of `pp.select_n_top_genes`, from results.csv."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks._markdown import markdown, with_means
from benchmarks.quality.tables import FOLDER

_USUAL = (2000, 500)
"""Of scclr and CLEAR, and of contrastive-sc."""
_TOLERANCE = 0.05
_SCORES = {"kmeans_ari": "ARI", "purity": "purity"}


def write(results: pd.DataFrame) -> None:
    """Write the table as Markdown."""
    (FOLDER / "n_top_genes.md").write_text(markdown(with_means(summary(results))) + "\n")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row per set: for each usual number of genes the one taken instead, and the scores with both."""
    rows = {}
    for name, of_set in results.groupby("set"):
        by_seed = [_row(of_seed.set_index("n_top_genes")) for _, of_seed in of_set.groupby("seed")]
        rows[name] = pd.DataFrame(by_seed).mean()
    table = pd.DataFrame(rows).T
    taken = {f"{usual} becomes": [f"{number:.0f}" for number in table[f"{usual} becomes"]] for usual in _USUAL}
    return table.assign(**taken)


def _row(of_seed: pd.DataFrame) -> dict[str, float]:
    score = of_seed["morans_i"]
    good = score.index[score >= score.max() - _TOLERANCE * abs(score.max())].to_numpy()
    row: dict[str, float] = {}
    chosen = {usual: int(good[np.argmin(np.abs(np.log(good / usual)))]) for usual in _USUAL}
    row |= {f"{usual} becomes": number for usual, number in chosen.items()}
    for column, name in _SCORES.items():
        for usual, number in chosen.items():
            row[f"{name}: {usual}"] = of_seed.loc[usual, column]
            row[f"{name}: instead of {usual}"] = of_seed.loc[number, column]
        row[f"{name}: best"] = of_seed[column].max()
    return row
