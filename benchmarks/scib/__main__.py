"""The metrics of scib (Luecken et al. 2022) on the sets with batches: ``python -m benchmarks.scib``.

Needs ``pip install scib-metrics``. Embeddings are those of ``benchmarks.quality``; with the same `--embeddings` folder
they are not made twice.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from anndata import AnnData
from sklearn.neighbors import NearestNeighbors

from benchmarks._markdown import markdown, with_means
from benchmarks._resumable import measure_missing
from benchmarks.quality import sets
from benchmarks.quality.__main__ import Job, embed
from benchmarks.quality.tables import FOLDER

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).with_name("results.csv")
SHOWN = ("PCA", "Harmony", "Concord", "scVI", "scclr")
_PARTS = {"Bio conservation": "bio", "Batch correction": "batch", "Total": "total"}


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=SHOWN, choices=SHOWN)
    parser.add_argument("--sets", nargs="+", default=None)
    parser.add_argument("--most-cells", type=int, default=4000, help="of larger sets this many random cells")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--embeddings", type=Path, help="keep embeddings in this folder, and use those found there")
    args = parser.parse_args()

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    names = [name for name in args.sets or sets.names() if "batch" in sets.load(name).obs]
    jobs = [
        Job(name, method, method != "PCA", seed)
        for seed in range(args.seeds)
        for name in names
        for method in args.methods
    ]
    results = measure_missing(
        jobs,
        lambda job: measure(job, args.embeddings, args.most_cells),
        args.results,
        key=Job._fields,
        again=args.again,
    )
    write(results)


def measure(job: Job, embeddings: Path | None, most_cells: int) -> dict[str, float] | None:
    """The scores of one job; None where a package is missing."""
    try:
        from scib_metrics.benchmark import BatchCorrection, Benchmarker, BioConservation

        obs = sets.load(job.set).obs
        before, _ = embed(sets.load(job.set), Job(job.set, "PCA", uses_batch=False, seed=job.seed), embeddings)
        after, _ = embed(sets.load(job.set), job, embeddings)
    except ModuleNotFoundError as error:
        print(f"{job.method} left out: {error}")
        return None
    cells = np.arange(len(obs))
    if len(cells) > most_cells:
        cells = np.sort(np.random.default_rng(job.seed).choice(cells, most_cells, replace=False))
    adata = AnnData(
        np.zeros((len(cells), 1), dtype=np.float32),
        obs=obs.iloc[cells].astype(str).astype("category"),
        obsm={"before": before[cells], "after": np.asarray(after, dtype=np.float32)[cells]},
    )
    benchmarker = Benchmarker(
        adata,
        "batch",
        "cell_type",
        ["after"],
        bio_conservation_metrics=BioConservation(),
        batch_correction_metrics=BatchCorrection(),
        pre_integrated_embedding_obsm_key="before",
        progress_bar=False,
    )
    benchmarker.prepare(neighbor_computer=_exact_neighbors)
    benchmarker.benchmark()
    found = benchmarker.get_results(min_max_scale=False, clean_names=False).loc["after"]
    return {_PARTS.get(name, name): float(value) for name, value in found.items()}


def _exact_neighbors(rep: np.ndarray, k: int) -> object:
    from scib_metrics.nearest_neighbors import NeighborsResults

    distances, indices = NearestNeighbors(n_neighbors=min(k, len(rep))).fit(rep).kneighbors()
    # What scib's own search returns starts with the cell itself.
    own = np.arange(len(rep))[:, None]
    return NeighborsResults(
        indices=np.hstack([own, indices[:, :-1]]), distances=np.hstack([np.zeros_like(own, float), distances[:, :-1]])
    )


def write(results: pd.DataFrame) -> None:
    """Write the table as Markdown: a row per set, per method the total, and below the means of its two parts."""
    table = results.pivot_table(index="set", columns="method", values="total")
    table = table[[method for method in SHOWN if method in table]].dropna(axis=1)
    table = with_means(table)
    for part, name in (("bio", "mean, cell types kept"), ("batch", "mean, batches mixed")):
        table.loc[name] = results.groupby(["set", "method"])[part].mean().groupby("method").mean()
    (FOLDER / "scib.md").write_text(markdown(table) + "\n")


if __name__ == "__main__":
    main()
