"""Fig. 2 B and C of CLEAR: Leiden from many clusters to few, and where the cells of each type go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData

import scclr_ext as clr
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.draw import COLORS, tidy
from benchmarks.papers.methods import usual
from benchmarks.quality.scores import leiden
from scclr_ext import metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SETS = ("young_kidney_top2000", "kang_ifnb", "pbmc_10x_4271_top2000")
_METHODS = ("PCA", "clear", "scclr")
_RESOLUTIONS = np.geomspace(0.02, 3.0, 20)
_RIVER = "clear"


def sweep(rep: np.ndarray, adata: AnnData, seed: int) -> dict[str, Any]:
    """ARI along the resolutions, and at the one that is chosen without labels; `flow` counts types in clusters."""
    work = AnnData(obs=adata.obs[["cell_type"]].copy(), obsm={"rep": np.asarray(rep, dtype=np.float32)})
    clr.tl.contrastive_cluster(work, use_rep="rep", random_state=seed)
    types, chosen = (work.obs[name].to_numpy().astype(str) for name in ("cell_type", "clr_clusters"))
    flow = clr.get.cluster_flow(work, "cell_type", "clr_clusters")
    by_resolution = {r: leiden(work, r, seed) for r in _RESOLUTIONS}
    aris = {r: metrics.adjusted_rand_index(types, found) for r, found in by_resolution.items()}
    return {
        "n_types": len(set(types)),
        "chosen_n": len(set(chosen)),
        "chosen_resolution": float(work.uns["clr_clusters"]["params"]["resolution"]),
        "chosen_ari": metrics.adjusted_rand_index(types, chosen),
        "best_ari": max(aris.values()),
        "curve": ";".join(f"{r:.4f}:{len(set(by_resolution[r]))}:{ari:.4f}" for r, ari in aris.items()),
        "flow": ";".join(f"{row.left}>{row.right}:{row.n_cells}" for row in flow.itertuples()),
    }


def unfold(flow: str) -> AnnData:
    """Cells with the types and clusters that a `flow` counts."""
    rows = [part.rsplit(":", 1) for part in flow.split(";")]
    pairs = [pair.rsplit(">", 1) for pair, n in rows for _ in range(int(n))]
    obs = pd.DataFrame(pairs, columns=["cell type", "cluster"]).astype("category")
    return AnnData(obs=obs.set_index(obs.index.astype(str)))


def _figure(rows: pd.DataFrame) -> Figure:
    first = rows[rows["data"] == rows["data"].iloc[0]].drop_duplicates("method")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", width_ratios=[1, 1.25])
    for row in first.itertuples():
        curve = np.array([[float(value) for value in point.split(":")] for point in row.curve.split(";")])
        color = COLORS[row.method]
        left.plot(curve[:, 1], curve[:, 2], marker="o", ms=4, color=color, label=row.method)
        left.plot(row.chosen_n, row.chosen_ari, marker="*", ms=14, color=color, mec="black", ls="none")
    left.plot([], [], marker="*", ms=11, color="white", mec="black", ls="none", label="chosen without labels")
    left.axvline(first["n_types"].iloc[0], color="0.5", ls="--", lw=1, label="number of types")
    left.legend(frameon=False, fontsize=9)
    left.set_title(first["data"].iloc[0], loc="left", fontsize=10, fontweight="bold")
    tidy(left, "clusters that Leiden finds", "ARI")
    river = first[first["method"] == _RIVER] if (first["method"] == _RIVER).any() else first[:1]
    clr.pl.cluster_flow(unfold(river["flow"].iloc[0]), "cell type", "cluster", ax=right, show=False)
    return figure


EXPERIMENT = Experiment(
    name="leiden_sweep",
    title="8b. From many clusters to few, and the river plot",
    paper="CLEAR, fig. 2 B and C",
    published="On the Hrvatin set the resolution is lowered by 0.01 until cells of different types merge; at that "
    "turning point CLEAR's clusters match the types nearly perfectly, as Seurat's do, and scDHA's are too many.",
    here="The set is not here. Twenty resolutions from 0.02 to 3 on three others, with the one that "
    "`tl.contrastive_cluster` chooses without labels. The river shows `clear` at its choice, the curves one seed.",
    data={name: real(name) for name in _SETS},
    methods={name: usual(name) for name in _METHODS},
    score=sweep,
    seeds=1,
    quick=("PCA",),
    tables=(
        Table(title="ARI at the number chosen without labels", value="chosen_ari"),
        Table(title="ARI at the best resolution, which only the labels tell", value="best_ari"),
        Table(title="Number chosen", value="chosen_n", digits=0),
    ),
    figure=_figure,
)
