"""Fig. 2 of contrastive-sc: simulated sets of known groups."""

from __future__ import annotations

import numpy as np

from benchmarks.papers import _draw
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import simulated
from benchmarks.papers.methods import two_components, usual
from benchmarks.papers.scores import all_ways

_MIDS = (-1.0, 0.0, 1.0, 1.5)
_GROUPS = (4, 8, 16)
_SHOWN = ("PCA", "contrastive-sc (code)", "contrastive-sc", "scclr", "clear")
_METHODS = {"PCA, 2 components": two_components(), **{name: usual(name) for name in _SHOWN}}
_FOUND = (
    "Fig. 2 shows bars only. In the text: k-means and Leiden on contrastive-sc's embedding do alike on the balanced "
    "sets; "
    "on the imbalanced ones Leiden is the best of all competitors on average; it tends to find too few clusters, the "
    "other "
    "methods that are not told the number up to twice too many; all get worse with more dropout and more groups."
)
_SCORES = {"ARI, k-means": "kmeans_ari", "ARI, Leiden": "leiden_ari", "silhouette, k-means": "kmeans_silhouette"}
_TABLES = (
    Table(title="ARI, k-means with the true number, by groups", value="kmeans_ari", rows="groups"),
    Table(title="ARI, k-means with the true number, by `dropout_mid`", value="kmeans_ari", rows="dropout_mid"),
    Table(
        title="All sets: ARI of k-means, of Leiden at resolution 1 (15 neighbours; 300 as in the authors' program) "
        "and of "
        "the number that `tl.contrastive_cluster` chooses; silhouette of the k-means clusters",
        rows="method",
        values={
            "k-means": "kmeans_ari",
            "Leiden": "leiden_ari",
            "Leiden, 300": "leiden300_ari",
            "chosen": "chosen_ari",
            "silhouette": "kmeans_silhouette",
        },
    ),
    Table(
        title="Relative error of the number of clusters, (found - true) / true",
        rows="method",
        values={"Leiden": "leiden_error", "Leiden, 300": "leiden300_error", "chosen": "chosen_error"},
    ),
)


def shares(groups: int) -> list[float]:
    """Shares of the groups of an imbalanced set: from 0.01 up in equal ratios, adding up to 1."""
    low, high = 1.0, 100.0
    for _ in range(60):  # the common ratio at which the smallest share is 0.01
        ratio = (low * high) ** 0.5
        low, high = (ratio, high) if (ratio ** np.arange(groups)).sum() < 100 else (low, ratio)
    sizes = ratio ** np.arange(groups)
    return list(sizes / sizes.sum())


BALANCED = Experiment(
    name="sim_balanced",
    title="1a. Simulated sets, balanced",
    paper="contrastive-sc, fig. 2 a to c",
    published=_FOUND,
    here="The same twelve: 4, 8 or 16 groups of about 250 cells, 2 500 genes, `de_facscale` 0.25 (as in the authors' "
    "program; their text says 0.2), dropout mid -1, 0, 1, 1.5, seed 100, made with `datasets.simulate_cells`, which "
    "draws "
    "the groups' sizes. Seeds are those of the methods.",
    data={
        f"{groups} groups, mid {mid:g}": simulated(250 * groups, groups, mid, scale=0.25)
        for groups in _GROUPS
        for mid in _MIDS
    },
    methods=_METHODS,
    score=all_ways,
    quick=("PCA", "contrastive-sc (code)"),
    tables=_TABLES,
    figure=_draw.dots(_SCORES | {"error of Leiden's number": "leiden_error"}, zero=True),
)

IMBALANCED = Experiment(
    name="sim_imbalanced",
    title="1b. Simulated sets, imbalanced",
    paper="contrastive-sc, fig. 2 d to f",
    published="See above.",
    here="The same twelve: 3 000 cells in 4, 8 or 16 groups, 2 500 genes, `de_facscale` 0.2. The paper's shares go "
    "from "
    "0.01 to 0.5 or 0.6 and are not listed; here each group is larger than the one before by a fixed ratio, from 0.01 "
    "on.",
    data={
        f"{groups} groups, mid {mid:g}": simulated(3000, groups, mid, shares=shares(groups), scale=0.2)
        for groups in _GROUPS
        for mid in _MIDS
    },
    methods=_METHODS,
    score=all_ways,
    quick=("PCA",),
    tables=_TABLES,
    figure=_draw.dots(_SCORES | {"error of Leiden's number": "leiden_error"}, zero=True),
)
