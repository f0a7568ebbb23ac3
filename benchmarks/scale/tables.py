"""The measured rows as the tables of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

STAGES = ["preprocess", "embed", "write"]


def write(results: pd.DataFrame, folder: Path) -> None:
    """Write docs/tables/scale.md and scale_genes.md."""
    cells, genes = results[results["genes"] > 0], results[results["genes"] == 0]
    if len(cells):
        (folder / "scale.md").write_text(_by_cells(cells), encoding="utf-8")
    if len(genes):
        (folder / "scale_genes.md").write_text(_by_genes(genes), encoding="utf-8")


def _by_cells(rows: pd.DataFrame) -> str:
    lines = [
        "| cells | in | preprocess | embed | write | all three | peak memory, GB | cluster | peak with it, GB |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows.sort_values(["place", "cells"]).to_dict("records"):
        stages = [row[f"{stage}_cpu"] for stage in STAGES]
        times = " | ".join(f"{seconds:.0f} s" for seconds in [*stages, sum(stages)])
        clusters = f"{row['cluster_cpu']:.0f} s | {row['cluster_gigabytes']:.1f}"
        lines.append(f"| {row['cells']:,} | {row['place']} | {times} | {row['gigabytes']:.1f} | {clusters} |")
    return "\n".join(lines) + "\n"


def _by_genes(rows: pd.DataFrame) -> str:
    lines = ["| genes | embedding, per step, processor ms | peak memory, GB |", "|---:|---:|---:|"]
    lines += [
        f"| {row['all_genes']:,} | {1000 * row['embed_cpu'] / row['n_steps']:.0f} | {row['gigabytes']:.1f} |"
        for row in rows.sort_values("all_genes").to_dict("records")
    ]
    return "\n".join(lines) + "\n"
