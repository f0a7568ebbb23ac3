"""The methods of the experiments: those of the quality benchmark, and configs of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scanpy as sc
from anndata import AnnData

import scclr_ext as clr
from benchmarks.papers._experiment import Method
from benchmarks.quality import methods as quality
from scclr_ext.engine.methods import METHODS
from scclr_ext.engine.run import run

if TYPE_CHECKING:
    from scclr_ext.engine.config import MethodConfig

SCVI_PYTHON = os.environ.get("SCVI_PYTHON", sys.executable)


def usual(name: str, *, batches: bool = False) -> Method:
    """One of the quality benchmark's methods, told of the batches or not."""

    def embed(adata: AnnData, seed: int) -> np.ndarray:
        told = "batch" if batches and "batch" in adata.obs else None
        return quality.METHODS[name](adata, seed, told)

    return Method(embed)


def ours(config: MethodConfig, recipe: str, *, n_top_genes: int | str | None = None, **facts: Any) -> Method:
    """A config of one of this package's methods; `n_top_genes="all"` takes every gene."""

    def embed(adata: AnnData, seed: int) -> np.ndarray:
        n_genes = adata.n_vars if n_top_genes == "all" else n_top_genes
        clr.pp.contrastive_preprocess(adata, recipe, n_top_genes=n_genes)
        mask = None if n_top_genes == "all" else "auto"
        clr.tl.contrastive_embed(adata, config, mask_var=mask, random_state=seed, device="cpu", progress=False)
        return adata.obsm["X_clr"]

    return Method(embed, facts)


def two_components() -> Method:
    """The naive baseline of the contrastive-sc paper: two principal components."""

    def embed(adata: AnnData, seed: int) -> np.ndarray:
        return quality.pca(adata, seed, None)[:, :2]

    return Method(embed)


def clear_as_run() -> Method:
    """CLEAR's program with the input its instructions make: filtered, logarithms before normalising, scaled.

    Cells with fewer than 200 genes are lost to the scores as well.
    """

    def embed(adata: AnnData, seed: int) -> np.ndarray:
        adata._inplace_subset_obs(sc.pp.filter_cells(adata, min_genes=200, inplace=False)[0])
        work = AnnData(adata.X.copy(), obs=adata.obs[[]], var=adata.var[[]])
        sc.pp.filter_genes(work, min_cells=3)
        sc.pp.log1p(work)
        sc.pp.highly_variable_genes(work, min_mean=0.0125, max_mean=3, min_disp=0.5)
        sc.pp.normalize_total(work, target_sum=1e4, exclude_highly_expressed=True)
        work = work[:, work.var["highly_variable"]].copy()
        sc.pp.scale(work, max_value=10)
        config = replace(METHODS["clear"].presets["code"], scale=False)
        # The engine itself: contrastive_embed takes no values that are scaled already.
        return run(
            config, np.asarray(work.X, dtype=np.float32), random_state=seed, device="cpu", progress=False
        ).embedding

    return Method(embed)


def scvi(*, batches: bool = False) -> Method:
    """scVI, in the Python that SCVI_PYTHON names: its versions of other packages may not be ours."""
    told = "batch" if batches else ""

    def embed(adata: AnnData, seed: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            cells, rep = Path(folder, "cells.h5ad"), Path(folder, "rep.npy")
            adata.write_h5ad(cells)
            command = [SCVI_PYTHON, "-m", "benchmarks.papers.methods", str(cells), str(rep), str(seed), told]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ModuleNotFoundError(done.stderr.strip().splitlines()[-1])
            return np.load(rep)

    return Method(embed)


if __name__ == "__main__":
    import anndata as ad

    np.save(sys.argv[2], quality.scvi(ad.read_h5ad(sys.argv[1]), int(sys.argv[3]), sys.argv[4] or None))
