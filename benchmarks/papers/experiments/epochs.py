"""Fig. 6 d and e of contrastive-sc: how many epochs."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.papers import draw
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import ours
from benchmarks.papers.scores import clusters
from scclr_ext.engine.methods import METHODS

_CODE = METHODS["contrastive-sc"].presets["code"]
_SETS = ("deng", "kang_ifnb_muscat", "pbmc_10x_4271_top2000", "young_kidney_top2000")

EXPERIMENT = Experiment(
    name="epochs",
    title="4c. Epochs",
    paper="contrastive-sc, fig. 6 d and e",
    published="5 to 100 epochs, all 15 sets: 30 are enough, more change little.",
    here='Preset `"code"` with so many epochs, k-means with the true number. Two of the four sets are the paper\'s, '
    "cut to 2 000 genes.",
    data={name: real(name) for name in _SETS},
    methods={
        f"{n} epochs": ours(replace(_CODE, epochs=n), "contrastive-sc", epochs=n) for n in (5, 10, 20, 30, 50, 100)
    },
    score=clusters,
    seeds=3,
    quick=("5 epochs", "30 epochs"),
    tables=(
        Table(title="ARI, k-means with the true number", value="kmeans_ari"),
        Table(title="Silhouette, k-means", value="kmeans_silhouette"),
        Table(title="Seconds to prepare and embed", value="seconds", digits=1),
    ),
    figure=draw.lines(
        "epochs", {"ARI, k-means": "kmeans_ari", "silhouette": "kmeans_silhouette"}, xlabel="epochs", by="set"
    ),
)
