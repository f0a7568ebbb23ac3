"""Supplementary tables 2 and 4 to 6 of CLEAR: its five augmentations."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.papers import draw
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import ours, usual
from benchmarks.papers.scores import clusters
from scclr_ext.engine.methods import ClearConfig

FIVE = ("mask", "noise", "swap", "crossover", "crossover_many")
_BASE = ClearConfig()
_SETS = {name: real(name) for name in ("kang_ifnb_muscat", "cellbench_3cl", "pbmc_10x_4271_top2000")}


def _with(*steps: str) -> ClearConfig:
    return replace(_BASE, **{f"{step}_probability": 0.0 for step in FIVE if step not in steps})


def _everywhere(kind: str, change: float) -> ClearConfig:
    values = {f"{step}_{kind}": min(1.0, change * getattr(_BASE, f"{step}_{kind}")) for step in FIVE}
    return replace(_BASE, **values)


STEPS = Experiment(
    name="augmentations",
    title="12a. The five augmentations, alone and left out",
    paper="CLEAR, supplementary tables 2 and 4",
    published="The supplement's tables are not at hand; the text says that they show the effect of each operation, and "
    "that the results of several seeds are stable.",
    here='Preset `"default"` on three sets, k-means with the true number; ± is over sets and seeds. PCA beside.',
    data=_SETS,
    methods={
        "all five": ours(_BASE, "clear"),
        **{f"without {step.replace('_', ' ')}": ours(_with(*(set(FIVE) - {step})), "clear") for step in FIVE},
        **{f"{step.replace('_', ' ')} alone": ours(_with(step), "clear") for step in FIVE},
        "none": ours(_with(), "clear"),
        "PCA": usual("PCA"),
    },
    score=clusters,
    seeds=3,
    quick=("all five", "mask alone"),
    tables=(
        Table(title="ARI, k-means with the true number", value="kmeans_ari", rows="method", columns="data"),
        Table(
            title="Mean of the sets",
            rows="method",
            values={"ARI, k-means": "kmeans_ari", "NMI, k-means": "kmeans_nmi", "ARI, Leiden": "leiden_ari"},
        ),
        Table(
            title="Coefficient of variation over seeds",
            rows="method",
            how="cv",
            digits=3,
            values={"ARI, k-means": "kmeans_ari", "NMI, k-means": "kmeans_nmi", "ARI, Leiden": "leiden_ari"},
        ),
    ),
    figure=draw.dots({"ARI, k-means": "kmeans_ari", "NMI, k-means": "kmeans_nmi", "ARI, Leiden": "leiden_ari"}),
)

STRENGTH = Experiment(
    name="augmentation_strength",
    title="12b. How often, and how much",
    paper="CLEAR, supplementary tables 5 and 6",
    published="The supplement's tables are not at hand. Chosen there: probability 0.5 for each; rates 0.2, 0.8, 0.1, "
    "0.25 and 0.25.",
    here='Preset `"default"` with all probabilities, or all rates, changed together.',
    data=_SETS,
    methods={
        **{
            f"probability {p:g}": ours(_everywhere("probability", p / 0.5), "clear", probability=p)
            for p in (0.1, 0.25, 0.5, 0.75, 1.0)
        },
        **{
            f"rates times {times:g}": ours(_everywhere("rate", times), "clear", rate=times)
            for times in (0.25, 0.5, 2.0, 3.0)
        },
    },
    score=clusters,
    seeds=2,
    quick=("probability 1", "rates times 0.5"),
    tables=(Table(title="ARI, k-means with the true number", value="kmeans_ari", rows="method", columns="data"),),
    figure=draw.dots({"ARI, k-means": "kmeans_ari", "NMI, k-means": "kmeans_nmi", "ARI, Leiden": "leiden_ari"}),
)
