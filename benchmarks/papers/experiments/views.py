"""Fig. 10 of contrastive-sc: how strong the dropout of the views is, and noise added to them."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.papers import draw
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._noisy import noisy
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import ours
from benchmarks.papers.scores import clusters
from scclr_ext.engine.methods import METHODS

_CODE = METHODS["contrastive-sc"].presets["code"]
_SETS = {name: real(name) for name in ("deng", "kang_ifnb_muscat", "pbmc_10x_4271_top2000", "young_kidney_top2000")}
_TABLES = (
    Table(title="ARI, k-means with the true number", value="kmeans_ari"),
    Table(title="Silhouette, k-means", value="kmeans_silhouette"),
)
_PANELS = {"ARI, k-means": "kmeans_ari", "silhouette, k-means": "kmeans_silhouette"}

DROPOUT = Experiment(
    name="view_dropout",
    title="7a. Dropout of the views",
    paper="contrastive-sc, fig. 10 a to d",
    published="0.2 to 0.9: the more, the better, on all scores; 0.9 is best.",
    here='Preset `"code"` with other rates. Two of the four sets are the paper\'s, cut to 2 000 genes.',
    data=_SETS,
    methods={
        f"dropout {rate:g}": ours(replace(_CODE, dropout=rate), "contrastive-sc", dropout=rate)
        for rate in (0.2, 0.4, 0.6, 0.7, 0.8, 0.9)
    },
    score=clusters,
    seeds=3,
    quick=("dropout 0.2", "dropout 0.9"),
    tables=_TABLES,
    figure=draw.lines("dropout", _PANELS, xlabel="share of the genes dropped", by="set"),
)

NOISE = Experiment(
    name="view_noise",
    title="7b. Noise added to the views",
    paper="contrastive-sc, fig. 10 e to h",
    published="Normal noise of standard deviation 0.01 to 1 brings no gain.",
    here='Preset `"code"`, noise added to every gene after the dropout; values are standardised.',
    data=_SETS,
    methods={f"noise {sd:g}": noisy(sd) for sd in (0.0, 0.01, 0.1, 0.5, 1.0)},
    score=clusters,
    seeds=3,
    quick=("noise 0.5",),
    tables=_TABLES,
    figure=draw.lines("noise_sd", _PANELS, xlabel="standard deviation of the noise", by="set"),
)
