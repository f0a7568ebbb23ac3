"""The tables of the unseen sets, from results.csv."""

from __future__ import annotations

import pandas as pd

from benchmarks._markdown import markdown
from benchmarks.quality.tables import FOLDER, by_set, duels, name_batch, verdict, with_summary

_BINS = [0, 0.8, 0.9, 0.95, 1]


def write(results: pd.DataFrame) -> None:
    """Write them as Markdown."""
    plain = results[~results["uses_batch"].astype(bool)]
    texts = {
        "unseen": markdown(with_summary(verdict(results))),
        "unseen_duels": markdown(duels(verdict(results)), corner="against"),
        "unseen_kmeans_ari": by_set(plain, "kmeans_ari"),
        "unseen_kmeans_nmi": by_set(plain, "kmeans_nmi"),
        "unseen_batches": markdown(batches(results), digits=2, corner="method"),
        "unseen_confidence": markdown(by_confidence(results), digits=2, corner="confidence"),
    }
    for name, text in texts.items():
        (FOLDER / f"{name}.md").write_text(text + "\n")


def batches(results: pd.DataFrame) -> pd.DataFrame:
    """Means over the sets with batches: a row per method, told of the batches if it can be."""
    rows = results[results["f1_ARI"].notna() & (results["uses_batch"].astype(bool) | (results["method"] == "PCA"))]
    columns = ["f1_ARI", "f1_ASW", "purity", "mixing"]
    return name_batch(rows).groupby(["method", "set"])[columns].mean().groupby("method").mean()


def by_confidence(results: pd.DataFrame) -> pd.DataFrame:
    """Mean ARI of the number chosen, and how far the best resolution is above it, by how sure the choice was.

    (Of a single cluster there is no confidence.)
    """
    results = results.dropna(subset="confidence")
    sure = pd.cut(results["confidence"], _BINS).map(lambda bin: f"{bin.left:.2f} to {bin.right:.2f}")
    table = results.assign(confidence=sure, lost=results["best_ari"] - results["chosen_ari"])
    grouped = table.groupby("confidence", observed=True)
    return pd.DataFrame(
        {
            "ARI": grouped["chosen_ari"].mean(),
            "below the best resolution": grouped["lost"].mean(),
            "embeddings": grouped.size().astype(str),
        }
    )
