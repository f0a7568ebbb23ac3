"""The data of the experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.papers._experiment import Data
from benchmarks.quality import sets
from scclr_ext import pp
from scclr_ext.datasets import simulate_cells

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

SMALL = ("yan", "deng", "cellbench_3cl", "kang_ifnb_muscat")
TEN = (
    *SMALL,
    "pbmc_3tech_savercat",
    "pbmc3k",
    "kang_ifnb",
    "pbmc_10x_4271_top2000",
    "young_kidney_top2000",
    "kang_ctrl_pbmc",
)
MOST_CELLS = 6000


def real(name: str, *, fraction: float = 1.0, dropped: float = 0.0, also: tuple[str, ...] = ()) -> Data:
    """A real set: at most 6000 cells of it, or a stratified part, or with a share of its counts dropped."""

    def load(seed: int) -> AnnData:
        adata = sets.load(name, also=also)
        share = min(fraction, MOST_CELLS / adata.n_obs)
        if share < 1:
            adata = adata[stratified(adata.obs["cell_type"].to_numpy().astype(str), share, seed)].copy()
        if dropped:
            pp.simulate_dropout(adata, dropped, random_state=seed)
        return adata

    facts = {"set": name}
    return Data(load, facts | {"fraction": fraction} if fraction < 1 else facts)


def stratified(types: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of the cells of each type, at least two of each."""
    rng = np.random.default_rng(seed)
    cells = [np.flatnonzero(types == name) for name in np.unique(types)]
    return np.sort(
        np.concatenate([rng.choice(of, min(len(of), max(2, round(share * len(of)))), replace=False) for of in cells])
    )


def simulated(n_cells: int, groups: int, mid: float, *, shares: Sequence[float] | None = None, scale: float) -> Data:
    """Splat cells as in the contrastive-sc paper: 2500 genes, seed 100, dropout by experiment."""

    def load(seed: int) -> AnnData:
        adata = simulate_cells(
            n_cells,
            2500,
            n_groups=groups,
            group_prob=shares,
            de_facscale=scale,
            dropout_mid=mid,
            dropout_shape=-1.0,
            progress=False,
            random_state=100,
        )
        adata.obs["cell_type"] = adata.obs["group"]
        return adata

    return Data(load, {"groups": groups, "dropout_mid": mid})


def two_batches(scale: float = 0.1) -> Data:
    """Two batches of 600 cells: two types are in both, and each has one of its own.

    The design of the dendritic cells in CLEAR's paper: pDC and DoubleNeg shared, CD1C in one batch, CD141 in the other.
    `scale` is Splatter's `batch.facScale`, how strong the batch effect is.
    """

    def load(seed: int) -> AnnData:
        adata = simulate_cells(
            1600,
            2500,
            n_groups=4,
            n_batches=2,
            de_prob=[0.15, 0.15, 0.1, 0.1],
            de_facscale=0.4,
            batch_facscale=scale,
            lib_loc=9.0,
            progress=False,
            random_state=seed,
        )
        names = {"group0": "pDC", "group1": "DoubleNeg", "group2": "CD1C", "group3": "CD141"}
        first = adata.obs["batch"].astype(str) == "batch0"
        types = adata.obs["group"].astype(str)
        kept = ~((types == "group2") & ~first) & ~((types == "group3") & first)
        adata.obs["cell_type"] = types.map(names).astype("category")
        return adata[kept.to_numpy()].copy()

    return Data(load, {"batch_facscale": scale})


def write_tiny(path: Path) -> None:
    """Write the set of the quick run: 240 cells in four groups and two batches, with an order."""
    adata = simulate_cells(
        240, 600, n_groups=4, n_batches=2, de_prob=0.3, de_facscale=0.6, lib_loc=8.5, progress=False, random_state=0
    )
    adata.obs["cell_type"] = adata.obs["group"].astype(str).astype("category")
    adata.obs["stage_order"] = adata.obs["cell_type"].cat.codes.to_numpy().astype(int)
    adata.obs["batch"] = adata.obs["batch"].astype(str).astype("category")
    adata.uns.clear()
    adata.write_h5ad(path)
