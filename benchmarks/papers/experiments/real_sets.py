"""Fig. 3 and 4 of contrastive-sc, fig. 2A of CLEAR: clusters of real sets."""

from __future__ import annotations

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Borrowed, Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import TEN, real
from benchmarks.papers.methods import scvi, two_components, usual
from benchmarks.papers.scores import all_ways
from benchmarks.quality import __main__ as quality

_SC = "contrastive-sc (code)"
_KIDNEY = {"data": "young_kidney_top2000"}

EXPERIMENT = Experiment(
    name="real_sets",
    title="2. Real sets",
    paper="contrastive-sc, fig. 3 and 4",
    published="Fifteen sets, three seeds, against ten methods and a baseline of two principal components.",
    here="Ten sets, of which pbmc_10x and young_kidney are the paper's, cut to 2 000 genes; the others are not: means "
    "over the sets cannot be compared with the paper's. kang_ctrl_pbmc is cut to 6 000 cells. Silhouette and "
    "Calinski-Harabasz of the clusters in each embedding.",
    data={name: real(name) for name in TEN},
    methods={
        "PCA, 2 components": two_components(),
        **{name: usual(name) for name in ("PCA", _SC, "contrastive-sc (paper)", "contrastive-sc", "scclr", "Concord")},
        "scVI": scvi(),
    },
    score=all_ways,
    seeds=3,
    quick=("PCA, 2 components", _SC),
    # Peers that take minutes: the sets on which they are quick, one seed. Concord on all: benchmarks.quality.
    only=lambda run: (
        run.method not in {"Concord", "scVI"}
        or (run.seed == 0 and run.data in {"yan", "deng", "cellbench_3cl", "kang_ifnb_muscat"})
    ),
    beside=(
        Beside(what="ARI, k-means", paper="0.77", value="kmeans_ari", where={"method": _SC}),
        Beside(what="NMI, k-means", paper="0.81", value="kmeans_nmi", where={"method": _SC}),
        Beside(what="silhouette, k-means", paper="0.60", value="kmeans_silhouette", where={"method": _SC}),
        Beside(what="Calinski-Harabasz", paper="4100", value="kmeans_calinski", where={"method": _SC}, digits=0),
        Beside(
            what="error of the number, Leiden (300 neighbours)",
            paper="1.65 times too many",
            value="leiden300_error",
            where={"method": _SC},
        ),
        Beside(
            what="seconds, CPU (here one thread, embedding only)",
            paper="12",
            value="seconds",
            where={"method": _SC},
            digits=0,
        ),
        Beside(what="young_kidney, Leiden: ARI", paper="0.71", value="leiden300_ari", where={"method": _SC, **_KIDNEY}),
        Beside(
            what="young_kidney, Leiden: clusters (11 types)",
            paper="13",
            value="leiden300_n",
            where={"method": _SC, **_KIDNEY},
            digits=1,
        ),
    ),
    tables=(
        Table(title="ARI, k-means with the true number", value="kmeans_ari"),
        Table(title="NMI, k-means with the true number", value="kmeans_nmi"),
        Table(title="ARI, Leiden at resolution 1", value="leiden_ari"),
        Table(title="ARI, number chosen by `tl.contrastive_cluster`", value="chosen_ari"),
        Table(title="Silhouette, k-means", value="kmeans_silhouette"),
        Table(title="Calinski-Harabasz, k-means", value="kmeans_calinski", digits=0),
        Table(
            title="Relative error of the number of clusters",
            rows="method",
            values={"Leiden": "leiden_error", "Leiden, 300": "leiden300_error", "chosen": "chosen_error"},
        ),
        Table(title="Seconds, preparing and embedding, one thread of a shared machine", value="seconds", digits=1),
    ),
    figure=draw.dots({"ARI, k-means": "kmeans_ari", "ARI, Leiden": "leiden_ari", "ARI, chosen": "chosen_ari"}),
)

_FIG_2A = ("PCA", "clear", "clear (code)", "scclr", "contrastive-sc (code)")
CLEAR = Borrowed(
    name="clear_sets",
    title="8a. Clusters of real sets",
    paper="CLEAR, fig. 2A",
    published="K-means on ten sets; 4.56 % more ARI on average than the second best method, scDHA.",
    here="Rows of `benchmarks.quality`, k-means with the true number. Which ten sets the paper took is in its "
    "supplement; yan and deng may be among them. The published presets take minutes per run and are run on the small "
    "sets only.",
    key=quality.Job._fields,
    all_jobs=tuple(
        quality.Job(name, method, uses_batch=False, seed=seed)
        for seed in range(3)
        for name in TEN
        for method in _FIG_2A
        if method not in {"clear (code)", "contrastive-sc (code)"} or (name in TEN[:4] and seed < 1)
    ),
    tiny_jobs=lambda name: [quality.Job(name, "PCA", uses_batch=False, seed=0)],
    run=lambda job: quality.measure(job, None),
    results=quality.RESULTS,
    choose=lambda rows: rows[~rows["uses_batch"].astype(bool)].assign(data=lambda part: part["set"]),
    tables=(
        Table(title="ARI, k-means with the true number", value="kmeans_ari"),
        Table(title="NMI, k-means with the true number", value="kmeans_nmi"),
    ),
    figure=draw.dots({"ARI, k-means": "kmeans_ari", "NMI, k-means": "kmeans_nmi", "ARI, Leiden": "leiden1_ari"}),
)
