"""The tables of the unseen sets, from results.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._markdown import markdown, with_means
from benchmarks.quality.tables import FOLDER, by_set, name_batch, verdict

if TYPE_CHECKING:
    import pandas as pd


def write(results: pd.DataFrame) -> None:
    """Write them as Markdown."""
    plain = results[~results["uses_batch"].astype(bool)]
    batches = name_batch(results[results["f1_ARI"].notna()])
    texts = {
        "unseen": markdown(with_means(verdict(results))),
        "unseen_kmeans_ari": by_set(plain, "kmeans_ari"),
        "unseen_kmeans_nmi": by_set(plain, "kmeans_nmi"),
        "unseen_f1_ari": by_set(batches, "f1_ARI"),
        "unseen_f1_asw": by_set(batches, "f1_ASW"),
    }
    for name, text in texts.items():
        (FOLDER / f"{name}.md").write_text(text + "\n")
