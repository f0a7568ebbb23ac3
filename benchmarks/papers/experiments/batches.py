"""Fig. 3 of CLEAR: batch effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.papers import draw
from benchmarks.papers._experiment import Borrowed, Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import two_batches
from benchmarks.papers.methods import scvi, usual
from benchmarks.papers.scores import batches
from benchmarks.quality import __main__ as quality

if TYPE_CHECKING:
    import pandas as pd

SIX = ("cARI", "1-bARI", "f1_ARI", "cASW", "1-bASW", "f1_ASW")
_SETS = ("cellbench_3cl", "kang_ifnb", "kang_ifnb_muscat", "pbmc_3tech_savercat", "deng")
_SLOW = "scVI (told)"
_TOLD = ("Harmony", "scclr")
_PUBLISHED = (
    "Human dendritic cells: two batches share pDC and DoubleNeg, and one has CD141, the other the similar CD1C. CLEAR, "
    "which is not told of the batches, mixes the shared types and keeps the similar ones apart: the best balance of "
    "cell types and batches. Harmony and iMAP mix CD141 with CD1C."
)


def _name(rows: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(rows["method"], rows["uses_batch"].astype(bool), strict=True)
    names = [f"{method} (told)" if told else method for method, told in pairs]
    rows = rows.assign(method=names, data=rows["set"])
    return rows[rows["set"].isin((*_SETS, "tiny")) & rows["f1_ARI"].notna()]


REAL = Borrowed(
    name="batches",
    title="10a. Batches of real sets",
    paper="CLEAR, fig. 3 B",
    published="Six sets, ARI and silhouette of cell types and batches and their harmonic means: CLEAR has the best f1, "
    "though it is not told of the batches. Fig. 3 shows bars only.",
    here='Five other sets; rows of `benchmarks.quality`, k-means with the true number. "Told": with `batch_key`.',
    key=quality.Job._fields,
    all_jobs=tuple(
        quality.Job(name, method, told, seed)
        for seed in range(3)
        for name in _SETS
        for method, told in (("PCA", False), ("clear", False), *((m, True) for m in _TOLD))
    ),
    tiny_jobs=lambda name: [quality.Job(name, "PCA", uses_batch=False, seed=1)],
    run=lambda job: quality.measure(job, None),
    results=quality.RESULTS,
    choose=_name,
    tables=(
        Table(title="All sets", rows="method", values={score: score for score in SIX}),
        Table(title="f1_ARI", value="f1_ARI"),
        Table(title="f1_ASW", value="f1_ASW"),
    ),
    figure=draw.dots({"f1_ARI": "f1_ARI", "f1_ASW": "f1_ASW"}),
)

SIMULATED = Experiment(
    name="batches_simulated",
    title="10b. Two batches with types of their own",
    paper="CLEAR, fig. 3 A and B",
    published=_PUBLISHED,
    here="A simulated set of that design: about 1 200 cells, two types in both batches, one type in each batch alone; "
    "with the batch effect that is Splatter's default (`batch_facscale` 0.1) and a stronger one. Each seed is a new "
    "simulation; scVI has one. 1-bARI and 1-bASW cannot be perfect where types belong to one batch. With the stronger "
    "effect Harmony (2.1.0, its defaults) ends after one round and leaves the principal components as they are.",
    data={f"batch effect {scale:g}": two_batches(scale) for scale in (0.1, 0.25)},
    methods={
        "PCA": usual("PCA"),
        "clear": usual("clear"),
        "clear (code)": usual("clear (code)"),
        "scclr": usual("scclr"),
        "clear (told)": usual("clear", batches=True),
        "scclr (told)": usual("scclr", batches=True),
        "Harmony (told)": usual("Harmony", batches=True),
        "Concord (told)": usual("Concord", batches=True),
        _SLOW: scvi(batches=True),
    },
    score=batches,
    only=lambda run: run.seed == 0 or run.method != _SLOW,
    seeds=3,
    quick=("PCA",),
    tables=(
        *(
            Table(
                title=f"Batch effect {scale:g}",
                rows="method",
                values={score: score for score in SIX},
                where={"batch_facscale": scale},
            )
            for scale in (0.1, 0.25)
        ),
    ),
    figure=draw.dots({score: score for score in ("cARI", "1-bARI", "f1_ARI", "f1_ASW")}),
)
