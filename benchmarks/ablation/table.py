"""The table of the ablation, from results.csv."""

from __future__ import annotations

import pandas as pd

from benchmarks._markdown import markdown
from benchmarks.ablation.variants import VARIANTS
from benchmarks.quality.tables import FOLDER

TWO_ANSWERS = "cellbench_3cl"
"""K-means finds either the cell lines or the protocols here, which moves a mean of ten sets by 0.05."""
UNTOLD = {"default": "no `batch_key`", "no PCA beside": "no `batch_key`, no PCA beside"}


def write(results: pd.DataFrame) -> None:
    """Write the table as Markdown."""
    (FOLDER / "ablation.md").write_text(markdown(summary(results), corner="variant") + "\n")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Means over sets and seeds, a row per variant, the default first.

    Only sets and seeds on which every variant of a column was measured count, so that all its rows are means over
    the same runs; variants that were not measured on all sets of the default are left out of it.
    """
    results = results.assign(uses_batch=results["uses_batch"].astype(bool))
    plain, batch = results[~results["uses_batch"]], results[results["uses_batch"]]
    # What is gained by telling the method of the batches: the same sets without.
    untold = plain[plain["variant"].isin(UNTOLD) & plain["set"].isin(batch["set"])]
    batch = pd.concat([batch, untold.assign(variant=untold["variant"].map(UNTOLD))])
    columns = {
        "ARI": _column(plain, "kmeans_ari"),
        "NMI": _column(plain, "kmeans_nmi"),
        f"ARI without {TWO_ANSWERS}": _column(plain[plain["set"] != TWO_ANSWERS], "kmeans_ari"),
        "ARI, chosen number": _column(plain, "chosen_ari"),
        "with `batch_key`: ARI": _column(batch, "kmeans_ari"),
        "with `batch_key`: ARI, chosen number": _column(batch, "chosen_ari"),
        "f1_ARI": _column(batch, "f1_ARI"),
        "f1_ASW": _column(batch, "f1_ASW"),
        "purity of neighbourhoods": _column(batch, "purity"),
    }
    table = pd.DataFrame(columns)
    return table.loc[[variant for variant in (*VARIANTS, *UNTOLD.values()) if variant in table.index]]


def _column(rows: pd.DataFrame, column: str) -> pd.Series:
    if column not in rows:
        return pd.Series(dtype=float)
    wide = rows.pivot_table(index=["set", "seed"], columns="variant", values=column)
    if "default" not in wide:
        return pd.Series(dtype=float)
    wide = wide[wide["default"].notna()]
    sets_of = wide.notna().groupby(level="set").any().sum()
    wide = wide[sets_of.index[sets_of == sets_of["default"]]]
    return wide.dropna().mean()
