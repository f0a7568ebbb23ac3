"""Fig. 11 of contrastive-sc: thirty network shapes, and learning rates."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import ours
from benchmarks.papers.scores import clusters
from scclr_ext.engine.methods import METHODS

_CODE = METHODS["contrastive-sc"].presets["code"]
_SETS = {name: real(name) for name in ("deng", "cellbench_3cl", "kang_ifnb_muscat")}
# One to four layers of 2 to 200, the last of which is the embedding. The paper draws thirty and lists few of them.
_SHAPES = (
    *((n,) for n in (2, 5, 10, 20, 60, 100, 200)),
    *((a, b) for a in (20, 60, 200) for b in (2, 10, 60)),
    *((200, a, b) for a in (20, 40, 100) for b in (2, 10, 60)),
    *((200, 100, 40, b) for b in (2, 10, 20, 60, 100)),
)

SHAPES = Experiment(
    name="network_shapes",
    title="7c. Network shapes",
    paper="contrastive-sc, fig. 11 a to c",
    published="Thirty networks of 1 to 4 layers of 2 to 200: depth matters little, and so does the embedding's size "
    "above 10; a single layer of 2 still gives a mean ARI of 0.49. The best is 200-40-60.",
    here='Thirty shapes of the same kind, preset `"code"` otherwise. Three small sets, none of them the paper\'s.',
    data=_SETS,
    methods={
        "-".join(map(str, shape)): ours(
            replace(_CODE, hidden=shape[:-1], embedding_dim=shape[-1]),
            "contrastive-sc",
            layers=len(shape),
            size=shape[-1],
        )
        for shape in _SHAPES
    },
    score=clusters,
    seeds=3,
    quick=("2", "200-40-60"),
    beside=(
        Beside(what="one layer of 2: mean ARI", paper="0.49", value="kmeans_ari", where={"method": "2"}),
        Beside(what="200-40-60: mean ARI", paper="0.75 to 0.77", value="kmeans_ari", where={"method": "200-40-60"}),
    ),
    tables=(
        Table(title="ARI by number of layers (mean of shapes and sets)", rows="layers", values={"ARI": "kmeans_ari"}),
        Table(title="ARI by size of the embedding (mean of all with it)", rows="size", values={"ARI": "kmeans_ari"}),
        Table(title="ARI, k-means with the true number", value="kmeans_ari", rows="method", columns="data"),
    ),
    figure=draw.dots({"ARI, k-means": "kmeans_ari", "silhouette, k-means": "kmeans_silhouette"}),
)

RATES = Experiment(
    name="learning_rates",
    title="7d. Learning rates",
    paper="contrastive-sc, fig. 11 d",
    published="0.0001 to 2: 0.4 is best, and its neighbours do as well.",
    here='Preset `"code"` (Adam) with other rates. Three small sets, none of them the paper\'s.',
    data=_SETS,
    methods={
        f"rate {rate:g}": ours(replace(_CODE, learning_rate=rate), "contrastive-sc", learning_rate=rate)
        for rate in (1e-4, 1e-3, 1e-2, 0.1, 0.4, 1.0, 2.0)
    },
    score=clusters,
    seeds=3,
    quick=("rate 0.001",),
    tables=(Table(title="ARI, k-means with the true number", value="kmeans_ari"),),
    figure=draw.lines(
        "learning_rate",
        {"ARI, k-means": "kmeans_ari", "silhouette, k-means": "kmeans_silhouette"},
        xlabel="learning rate",
        by="set",
        log=True,
    ),
)
