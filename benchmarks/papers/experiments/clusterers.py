"""Tables 2 and 3 of contrastive-sc: seven clusterers on one embedding."""

from __future__ import annotations

import pandas as pd

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import usual
from benchmarks.papers.scores import SEVEN, seven

_SETS = ("yan", "deng", "cellbench_3cl", "kang_ifnb_muscat", "pbmc_10x_4271_top2000", "young_kidney_top2000")
_SC = "contrastive-sc (code)"
_PUBLISHED = {"kmeans": "0.77", "ward": "0.77", "mean-shift": "0.65", "leiden": "0.51"}


def _figure(rows: pd.DataFrame) -> object:
    long = pd.concat(
        [
            rows[["data", "seed"]].assign(clusterer=name, ari=rows[f"{name}_ari"], seconds=rows[f"{name}_seconds"])
            for name in SEVEN
        ]
    )
    return draw.dots({"ARI": "ari", "seconds": "seconds"}, rows="clusterer", log=("seconds",))(long)


EXPERIMENT = Experiment(
    name="clusterers",
    title="5. Seven clusterers on one embedding",
    paper="contrastive-sc, tables 2 and 3",
    published="K-means and Ward do best (mean ARI 0.77), MeanShift 0.65, Leiden 0.51. Leiden takes 7 times as long as "
    "k-means, MeanShift 30 times as long as Leiden, the others 3 times as long as k-means.",
    here='Preset `"code"`. All are told the true number but Leiden (resolution 1, 15 neighbours) and MeanShift. Two '
    "of the six sets are the paper's, cut to 2 000 genes. Every clusterer's seconds include the neighbour graph that "
    "`tl.contrastive_cluster` leaves, so the ratios are smaller than the paper's.",
    data={name: real(name) for name in _SETS},
    methods={_SC: usual(_SC)},
    score=seven,
    seeds=3,
    quick=(_SC,),
    beside=tuple(
        Beside(what=f"{name}: mean ARI", paper=text, value=f"{name}_ari") for name, text in _PUBLISHED.items()
    ),
    tables=(
        Table(title="ARI", values={name: f"{name}_ari" for name in SEVEN}),
        Table(title="NMI", values={name: f"{name}_nmi" for name in SEVEN}),
        Table(title="Number of clusters", values={name: f"{name}_n" for name in ("leiden", "mean-shift")}, digits=1),
        Table(title="Seconds", values={name: f"{name}_seconds" for name in SEVEN}, digits=2),
    ),
    figure=_figure,
)
