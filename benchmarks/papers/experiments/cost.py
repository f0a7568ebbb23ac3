"""Fig. 6 b and c of contrastive-sc: time against cells and genes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Data, Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.methods import ours, usual
from scclr_ext.datasets import simulate_cells
from scclr_ext.engine.methods import METHODS
from scclr_ext.tl import contrastive_cluster

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

_SC = "contrastive-sc (code)"
_CELLS = (1_000, 5_000, 10_000, 25_000, 50_000)
_GENES = (500, 5_000, 20_000, 50_000)
_FEW = 1_000


def _cells(n_cells: int, n_genes: int) -> Data:
    def load(seed: int) -> AnnData:
        adata = simulate_cells(n_cells, n_genes, n_groups=8, lib_loc=8.5, progress=False, random_state=seed)
        adata.obs["cell_type"] = adata.obs["group"]
        return adata

    return Data(load, {"genes": n_genes})


def _seconds(rep: np.ndarray, adata: AnnData, seed: int) -> dict[str, float]:
    found: dict[str, float] = {}
    adata.obsm["rep"] = rep
    contrastive_cluster(adata[:100].copy(), use_rep="rep", n_clusters=2, method="kmeans")  # compiles; not timed
    for way, told in (("kmeans", {"method": "kmeans", "n_clusters": 8}), ("leiden", {"resolution": 1.0})):
        start = time.perf_counter()
        contrastive_cluster(adata, use_rep="rep", random_state=seed, **told)
        found[f"{way}_seconds"] = time.perf_counter() - start
    return found


CELLS = Experiment(
    name="cost_cells",
    title="4a. Time against cells",
    paper="contrastive-sc, fig. 6 b",
    published="1 000 to 50 000 cells: under 60 s per run, on a GPU. Leiden costs more than k-means, the more the more "
    "cells.",
    here="Simulated cells, 2 000 genes of which 500 are used, one thread of a shared CPU; preparing included.",
    data={f"{n:,} cells": _cells(n, 2_000) for n in _CELLS},
    methods={name: usual(name) for name in ("PCA", _SC, "contrastive-sc", "scclr")},
    score=_seconds,
    seeds=1,
    quick=(_SC,),
    beside=(
        Beside(
            what="seconds, 50 000 cells",
            paper="below 60 (GPU)",
            value="seconds",
            digits=0,
            where={"data": "50,000 cells", "method": _SC},
        ),
    ),
    tables=(
        Table(title="Seconds to prepare and embed", value="seconds", digits=1),
        Table(
            title=f"Seconds, {_SC}: embedding, and its clusters with their neighbour graph",
            rows="data",
            digits=1,
            where={"method": _SC},
            values={"embedding": "seconds", "k-means": "kmeans_seconds", "Leiden": "leiden_seconds"},
        ),
    ),
    figure=draw.lines(
        "n_cells",
        {"seconds": "seconds"},
        xlabel="cells",
        log=True,
        log_y=True,
        published={"seconds": (50_000, 60, "paper's limit (GPU)")},
    ),
)

GENES = Experiment(
    name="cost_genes",
    title="4b. Time against genes",
    paper="contrastive-sc, fig. 6 c",
    published="500 to 250 000 genes: under 60 s per run, on a GPU.",
    here="1 000 simulated cells, all genes in the model, one thread of a shared CPU; up to 50 000 genes.",
    data={f"{n:,} genes": _cells(_FEW, n) for n in _GENES},
    methods={_SC: ours(METHODS["contrastive-sc"].presets["code"], "contrastive-sc", n_top_genes="all")},
    score=_seconds,
    seeds=1,
    quick=(_SC,),
    tables=(Table(title="Seconds to prepare and embed", value="seconds", digits=1),),
    figure=draw.lines("genes", {"seconds": "seconds"}, xlabel="genes", log=True, log_y=True),
)
