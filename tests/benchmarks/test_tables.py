"""What the tables say is what the results say, and only what all were measured on counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

markdown = pytest.importorskip("benchmarks._markdown", reason="the benchmarks are not part of the source archive")


def test_markdown() -> None:
    table = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"]}, index=["yan", "kang"])
    assert markdown.markdown(table, digits=1).splitlines() == [
        "| set | a | b |",
        "|---|---|---|",
        "| yan | 1.0 | x |",
        "| kang | – | y |",
    ]


def test_means_and_those_of_the_independent_labels() -> None:
    table = markdown.with_means(pd.DataFrame({"a": [1.0, 2.0, 6.0]}, index=["yan", "deng", "kang"]))
    assert table["a"].tolist() == [1, 2, 6, 3, 1.5]


def test_duels_are_counted_set_by_set() -> None:
    from benchmarks.quality.tables import duels, with_summary

    table = pd.DataFrame(
        {"theirs": [0.5, 0.5, 0.5, 0.9], "ours": [0.6, 0.52, 0.4, 0.5]}, index=["yan", "deng", "heart", "kang_ifnb"]
    )
    found = duels(table).loc["theirs"]
    assert found[["won", "level", "lost"]].tolist() == ["1", "1", "2"]
    assert found["worst set"] == "kang_ifnb"
    assert found[["mean difference", "median", "worst"]].tolist() == pytest.approx([-0.095, -0.04, -0.4])
    summary = with_summary(table)["ours"]
    assert summary["median of all sets"] == pytest.approx(0.51)
    assert summary["mean, without conditions as batches"] == pytest.approx((0.6 + 0.52 + 0.4) / 3)


def test_ablation_compares_like_with_like() -> None:
    from benchmarks.ablation.table import summary

    def rows(variant, uses_batch, **values):
        return [
            {"set": name, "variant": variant, "uses_batch": uses_batch, "seed": 0, "kmeans_ari": value}
            | {"kmeans_nmi": value, "f1_ARI": value, "f1_ASW": value}
            for name, value in values.items()
        ]

    table = summary(
        pd.DataFrame(
            rows("default", False, yan=0.5, kang=0.7, deng=0.1)
            + rows("no head", False, yan=0.3, kang=0.5, deng=0.2)
            + rows("mask 0.4", False, yan=0.9)  # not yet measured on all sets: not shown
            + rows("default", True, kang=0.8)
            + rows("no head", True, kang=0.6)
        )
    )
    assert table["ARI"].dropna().to_dict() == pytest.approx({"default": 1.3 / 3, "no head": 1 / 3})
    assert table["ARI without cellbench_3cl"].equals(table["ARI"])
    assert table["f1_ARI"].dropna().to_dict() == pytest.approx({"default": 0.8, "no head": 0.6, "no `batch_key`": 0.7})
    assert table.index.tolist() == ["default", "no head", "no `batch_key`"]


def test_dropout_leaves_out_what_is_incomplete() -> None:
    from benchmarks.dropout.results import summary

    rows = [
        {"set": name, "method": method, "rate": rate, "seed": 0, "kmeans_ari": 1 - rate + (method == "scclr")}
        for name in ("yan", "kang")
        for method in ("PCA", "scclr")
        for rate in (0.0, 0.5, 0.8)
        if (name, method, rate) != ("kang", "scclr", 0.8)
    ]
    by_seed, by_set = summary(pd.DataFrame(rows))
    assert by_set.index.unique("set").tolist() == ["yan"]
    assert by_seed["PCA"].tolist() == pytest.approx([1, 0.5, 0.2])
    assert by_seed["scclr"].tolist() == pytest.approx([2, 1.5, 1.2])


def test_genes_keep_the_usual_number_where_it_costs_nothing() -> None:
    from benchmarks.genes.table import summary

    numbers = [500, 1000, 2000, 3000]
    rows = [
        {"set": name, "n_top_genes": n, "seed": 0, "morans_i": score, "kmeans_ari": n / 1e4, "purity": 0.5}
        for name, scores in {"flat": (0.98, 1.0, 0.97, 0.99), "rising": (0.5, 0.9, 1.0, 1.0)}.items()
        for n, score in zip(numbers, scores, strict=True)
    ]
    table = summary(pd.DataFrame(rows))
    assert table["2000 becomes"].to_dict() == {"flat": "2000", "rising": "2000"}
    assert table["500 becomes"].to_dict() == {"flat": "500", "rising": "2000"}
    assert table["ARI: instead of 500"].to_dict() == pytest.approx({"flat": 0.05, "rising": 0.2})


def test_verdict_takes_what_each_method_was_told() -> None:
    from benchmarks.quality.tables import verdict

    rows = [
        ("yan", "PCA", False, 0.5, 0.6),
        ("yan", "clear", False, 0.1, 0.4),
        ("yan", "scclr", False, 0.1, 0.3),
        ("kang", "PCA", False, 0.5, 0.2),
        ("kang", "clear", False, 0.1, 0.25),
        ("kang", "clear", True, 0.1, 0.7),
        ("kang", "scclr", False, 0.1, 0.28),
        ("kang", "scclr", True, 0.1, 0.9),
        ("kang", "Harmony", True, 0.1, 0.8),
        ("deng", "PCA", False, 0.5, 0.6),  # the others were not measured there: it does not count
    ]
    names = ["set", "method", "uses_batch", "leiden1_ari", "chosen_ari"]
    table = verdict(pd.DataFrame(rows, columns=names).assign(seed=0))
    assert table.T.to_dict() == {
        "yan": {
            "PCA, Leiden 1": 0.5,
            "PCA": 0.6,
            "clear": 0.4,
            "scclr": 0.3,
            "Harmony, told; else PCA": 0.6,
            "scclr, told": 0.3,
            "scclr, told; else clear": 0.4,
        },
        "kang": {
            "PCA, Leiden 1": 0.5,
            "PCA": 0.2,
            "clear": 0.25,
            "scclr": 0.28,
            "Harmony, told; else PCA": 0.8,
            "scclr, told": 0.9,
            "scclr, told; else clear": 0.9,
        },
    }
    assert table.index.tolist() == ["yan", "kang"]  # where we lose comes first
