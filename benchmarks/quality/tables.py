"""The tables that the docs show, from results.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks._markdown import markdown, with_means
from benchmarks.quality.sets import CONDITIONS_AS_BATCHES

FOLDER = Path(__file__).parents[2] / "docs" / "tables"
PUBLISHED_SETS = ["pbmc3k", "pbmc_10x_4271_top2000"]
PEERS = ("Concord", "scVI")
"""No presets of the papers."""

_NOTHING = 0.03
"""A difference in ARI below which two methods are called level."""


def write(results: pd.DataFrame) -> None:
    """Write every table as Markdown."""
    FOLDER.mkdir(exist_ok=True)
    plain = results[~results["uses_batch"].astype(bool)]
    batch = results[results["f1_ARI"].notna()] if "f1_ARI" in results else results[:0]
    texts = {
        "verdict": markdown(with_summary(verdict(results))),
        "duels": markdown(duels(verdict(results)), corner="against"),
        "presets": _with_sd(
            plain[plain["set"].isin(PUBLISHED_SETS) & ~plain["method"].isin(PEERS)],
            ["kmeans_ari", "kmeans_nmi", "leiden1_ari"],
        ),
        "kmeans_ari": by_set(plain, "kmeans_ari"),
        "kmeans_nmi": by_set(plain, "kmeans_nmi"),
        "leiden1_ari": by_set(plain, "leiden1_ari"),
        "chosen_ari": by_set(plain, "chosen_ari"),
        "best_ari": by_set(plain, "best_ari"),
        "n_clusters": by_set(plain, "n_clusters", digits=1, extra="n_types"),
        "f1_ari": by_set(name_batch(batch), "f1_ARI"),
        "f1_asw": by_set(name_batch(batch), "f1_ASW"),
    }
    for name, text in texts.items():
        (FOLDER / f"{name}.md").write_text(text + "\n")


def verdict(results: pd.DataFrame) -> pd.DataFrame:
    """ARI of what a user gets: PCA with Leiden at resolution 1, and ours; the sets where we lose come first."""

    def mean(method: str, column: str, *, uses_batch: bool) -> pd.Series:
        rows = results[(results["method"] == method) & (results["uses_batch"].astype(bool) == uses_batch)]
        return rows.groupby("set")[column].mean()

    def told(method: str, otherwise: str) -> pd.Series:
        """The method told of the batches; where there are none, the other one."""
        both = mean(method, "chosen_ari", uses_batch=True), mean(otherwise, "chosen_ari", uses_batch=False)
        return both[0].combine_first(both[1])

    table = pd.DataFrame(
        {
            "PCA, Leiden 1": mean("PCA", "leiden1_ari", uses_batch=False),
            "PCA": mean("PCA", "chosen_ari", uses_batch=False),
            "clear": mean("clear", "chosen_ari", uses_batch=False),
            "scclr": mean("scclr", "chosen_ari", uses_batch=False),
            "Concord, told": told("Concord", "Concord"),
            "scVI, told": told("scVI", "scVI"),
            "Harmony, told; else PCA": told("Harmony", "PCA"),
            "scclr, told": told("scclr", "scclr"),
            "scclr, told; else clear": told("scclr", "clear"),
        }
    )
    table = table.dropna(axis=1, how="all").dropna()
    return table.loc[(table.iloc[:, -1] - table.iloc[:, 0]).sort_values().index]


def with_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Add means and medians, and the mean without the sets whose batches are conditions."""
    as_batches = table.index.isin(CONDITIONS_AS_BATCHES)
    rows = {"median of all sets": table.median(), "mean, without conditions as batches": table[~as_batches].mean()}
    return pd.concat([with_means(table), pd.DataFrame(rows).T])


def duels(table: pd.DataFrame) -> pd.DataFrame:
    """How many sets the last column wins and loses against each other one, and by how much."""
    difference = table.iloc[:, :-1].rsub(table.iloc[:, -1], axis=0)
    counts = {
        "won": (difference > _NOTHING).sum(),
        "level": (difference.abs() <= _NOTHING).sum(),
        "lost": (difference < -_NOTHING).sum(),
    }
    return pd.DataFrame(
        {name: values.astype(str) for name, values in counts.items()}
        | {"mean difference": difference.mean(), "median": difference.median()}
        | {"worst": difference.min(), "worst set": difference.idxmin()}
    )


def name_batch(results: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(results["method"], results["uses_batch"], strict=True)
    return results.assign(method=[f"{method} (batch_key)" if used else method for method, used in pairs])


def by_set(results: pd.DataFrame, column: str, *, digits: int = 3, extra: str | None = None) -> str:
    """A row per set, a column per method, means over seeds; only methods measured on every set."""
    if results.empty:
        return "No results yet."
    table = results.pivot_table(index="set", columns="method", values=column, aggfunc="mean")
    table = table.dropna(axis=1)
    if "PCA" in table and "scclr" in table:  # the sets where we lose come first
        table = table.loc[(table["scclr"] - table["PCA"]).sort_values().index]
    if extra:
        table.insert(0, extra, results.groupby("set")[extra].first())
    return markdown(with_means(table), digits=digits)


def _with_sd(results: pd.DataFrame, columns: list[str]) -> str:
    """A row per set and method, mean and SD over seeds."""
    if results.empty:
        return "No results yet."
    grouped = results.groupby(["set", "method"])[columns]
    mean, sd = grouped.mean(), grouped.std().fillna(0)
    table = mean.map("{:.3f}".format) + " ± " + sd.map("{:.3f}".format)
    return markdown(table.reset_index().set_index("set"))
