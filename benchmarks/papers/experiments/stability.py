"""Fig. 9 of contrastive-sc: other seeds, fewer cells."""

from __future__ import annotations

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import usual
from benchmarks.papers.scores import clusters

_SETS = ("deng", "kang_ifnb_muscat", "pbmc_10x_4271_top2000", "young_kidney_top2000")
_SC = "contrastive-sc (code)"
_FRACTIONS = (25, 50, 75, 100)
_SCORES = {
    "ARI, k-means": "kmeans_ari",
    "NMI, k-means": "kmeans_nmi",
    "silhouette, k-means": "kmeans_silhouette",
    "ARI, Leiden": "leiden_ari",
}


def _part(name: str, percent: int) -> object:
    data = real(name, fraction=percent / 100)
    return type(data)(data.load, {"set": name, "percent": percent})


EXPERIMENT = Experiment(
    name="stability",
    title="6. Stability: other seeds, fewer cells",
    paper="contrastive-sc, fig. 9",
    published="The coefficient of variation over three runs is average among the methods, larger with Leiden than with "
    "k-means. Half of the cells cost 5 points of ARI; with a quarter ARI is 0.67, silhouette 0.56.",
    here="Four sets, two of them the paper's, cut to 2 000 genes; each seed draws its own stratified part. The "
    "coefficient of variation is that of all cells. `tl.stability` gives it for your own data, with what all runs "
    "agree on.",
    data={f"{name}, {percent} %": _part(name, percent) for name in _SETS for percent in _FRACTIONS},
    methods={name: usual(name) for name in ("PCA", _SC, "contrastive-sc", "scclr")},
    score=clusters,
    seeds=3,
    quick=(_SC,),
    beside=(
        Beside(what="ARI, all cells", paper="0.75 to 0.77", value="kmeans_ari", where={"method": _SC, "percent": 100}),
        Beside(what="ARI, half", paper="5 points less", value="kmeans_ari", where={"method": _SC, "percent": 50}),
        Beside(what="ARI, a quarter", paper="0.67", value="kmeans_ari", where={"method": _SC, "percent": 25}),
        Beside(
            what="silhouette, a quarter", paper="0.56", value="kmeans_silhouette", where={"method": _SC, "percent": 25}
        ),
    ),
    tables=(
        Table(title="ARI, k-means, by percent of the cells (mean of the sets)", value="kmeans_ari", rows="percent"),
        Table(
            title="Coefficient of variation over seeds, all cells (mean of the sets)",
            rows="method",
            values=_SCORES,
            how="cv",
            where={"percent": 100},
            digits=3,
        ),
    ),
    figure=draw.lines(
        "percent",
        {"ARI, k-means": "kmeans_ari", "silhouette, k-means": "kmeans_silhouette"},
        xlabel="% of the cells",
        published={"ARI, k-means": (25, 0.67, "paper"), "silhouette, k-means": (25, 0.56, "paper")},
    ),
)
