"""What a user could pick: each makes an embedding from counts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc

import scclr_ext as clr

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    Method = Callable[[AnnData, int, str | None], np.ndarray]


def pca(adata: AnnData, seed: int, batch_key: str | None) -> np.ndarray:
    """Scanpy's usual way: 2000 genes, scaled, 50 components."""
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=min(2000, adata.n_vars))
    part = adata[:, adata.var["highly_variable"]].copy()
    sc.pp.scale(part, max_value=10)
    sc.pp.pca(part, n_comps=min(50, *(n - 1 for n in part.shape)), random_state=seed)
    return part.obsm["X_pca"]


def harmony(adata: AnnData, seed: int, batch_key: str | None) -> np.ndarray:
    """PCA corrected by Harmony."""
    import harmonypy

    rep = pca(adata, seed, batch_key)
    result = harmonypy.run_harmony(rep, adata.obs, batch_key, random_state=seed, verbose=False)
    corrected = np.asarray(result.Z_corr)
    return corrected if corrected.shape == rep.shape else corrected.T


def concord(adata: AnnData, seed: int, batch_key: str | None) -> np.ndarray:
    """Concord at its defaults."""
    import concord as ccd

    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    genes = ccd.ul.select_features(adata, n_top_features=min(2000, adata.n_vars), flavor="seurat_v3")
    model = ccd.Concord(
        adata=adata, input_feature=genes, domain_key=batch_key, seed=seed, device="cpu", save_dir=None, verbose=False
    )
    model.fit_transform(output_key="concord")
    return np.asarray(adata.obsm["concord"])


def scvi(adata: AnnData, seed: int, batch_key: str | None) -> np.ndarray:
    """scVI on 2000 genes at its defaults: 400 epochs for up to 20 000 cells."""
    import scvi as tools

    tools.settings.seed = seed
    logged = adata.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    sc.pp.highly_variable_genes(logged, n_top_genes=min(2000, adata.n_vars))
    part = adata[:, logged.var["highly_variable"].to_numpy()].copy()
    tools.model.SCVI.setup_anndata(part, batch_key=batch_key)
    model = tools.model.SCVI(part)
    model.train(accelerator="cpu", enable_progress_bar=False)
    return model.get_latent_representation()


def ours(method: str, preset: str) -> Method:
    """One of this package's methods."""

    def embed(adata: AnnData, seed: int, batch_key: str | None) -> np.ndarray:
        clr.pp.contrastive_preprocess(adata, method, batch_key=batch_key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a published preset that collapses says so in its scores
            clr.tl.contrastive_embed(
                adata, method, preset=preset, batch_key=batch_key, random_state=seed, device="cpu", progress=False
            )
        return adata.obsm["X_clr"]

    return embed


METHODS: dict[str, Method] = {
    "PCA": pca,
    "Harmony": harmony,
    "Concord": concord,
    "scVI": scvi,
    "scclr": ours("scclr", "default"),
    "clear": ours("clear", "default"),
    "clear (paper)": ours("clear", "paper"),
    "clear (code)": ours("clear", "code"),
    "contrastive-sc": ours("contrastive-sc", "default"),
    "contrastive-sc (paper)": ours("contrastive-sc", "paper"),
    "contrastive-sc (code)": ours("contrastive-sc", "code"),
}
NEEDS_BATCH = ("Harmony",)
