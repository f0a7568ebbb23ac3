"""The table of the ablation, from results.csv."""

from __future__ import annotations

import pandas as pd

from benchmarks._markdown import markdown
from benchmarks.ablation.variants import VARIANTS
from benchmarks.quality.sets import INDEPENDENT_LABELS
from benchmarks.quality.tables import FOLDER


def write(results: pd.DataFrame) -> None:
    """Write the table as Markdown."""
    (FOLDER / "ablation.md").write_text(markdown(summary(results), corner="variant") + "\n")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Means over sets and seeds, a row per variant, the default first.

    Only sets and seeds that the default and every variant shown were measured on count, with and without batches
    apart, so that all rows of a column are means over the same runs.
    """
    results = results.assign(uses_batch=results["uses_batch"].astype(bool))
    plain, batch = results[~results["uses_batch"]], results[results["uses_batch"]]
    columns = {
        "ARI": _column(plain, "kmeans_ari"),
        "NMI": _column(plain, "kmeans_nmi"),
        "ARI, labels not from a PCA": _column(plain[plain["set"].isin(INDEPENDENT_LABELS)], "kmeans_ari"),
        "with batch_key: ARI": _column(batch, "kmeans_ari"),
        "f1_ARI": _column(batch, "f1_ARI"),
        "f1_ASW": _column(batch, "f1_ASW"),
    }
    table = pd.DataFrame(columns)
    return table.loc[[variant for variant in VARIANTS if variant in table.index]]


def _column(rows: pd.DataFrame, column: str) -> pd.Series:
    wide = rows.pivot_table(index=["set", "seed"], columns="variant", values=column)
    return wide.dropna().mean()
