"""From counts to an embedding, once: ours, PCA and the peers, each in a process of its own.

Seconds are those of the processor, of one thread: the machine may be shared. Each embeds a few cells first, so that
neither imports nor compiling count, which some do when they are called. Peers that take too long to be run whole are
given `--epochs` and are reported as that, never extrapolated.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

GENES, GROUPS, MARKERS, CHUNK = 3_000, 12, 60, 5_000
WARM_UP = 300
"""Cells that are embedded before the clock starts."""
WHOLE = 0
"""Stands for a method's own number of epochs."""
PYTHON = {"scVI": os.environ.get("SCVI_PYTHON", sys.executable)}


class Job(NamedTuple):
    """One embedding to time."""

    method: str
    cells: int
    epochs: int


def simulate(n_cells: int) -> AnnData:
    """Counts of as many cells of twelve types, about a tenth of them not zero."""
    import anndata as ad
    from scipy import sparse

    rng = np.random.default_rng(0)
    rate = np.tile(rng.gamma(0.4, 0.3, GENES), (GROUPS, 1))
    for group in range(GROUPS):
        rate[group, rng.choice(GENES, MARKERS, replace=False)] *= 8
    parts = []
    for start in range(0, n_cells, CHUNK):
        n = min(CHUNK, n_cells - start)
        depth = rng.lognormal(0, 0.3, (n, 1))
        parts.append(sparse.csr_matrix(rng.poisson(depth * rate[rng.integers(GROUPS, size=n)]).astype(np.float32)))
    adata = ad.AnnData(sparse.vstack(parts, format="csr"))
    adata.obs_names = [f"cell{i}" for i in range(n_cells)]
    adata.var_names = [f"gene{i}" for i in range(GENES)]
    return adata


def measure(job: Job, folder: Path) -> dict[str, Any] | None:
    """Time one job in a new process; None where the peer is not installed or fails."""
    file = folder / f"{job.cells}.h5ad"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate(job.cells).write_h5ad(file)
    command = [PYTHON.get(job.method, sys.executable), "-m", "benchmarks.speed.whole", str(file), job.method]
    result = subprocess.run([*command, str(job.epochs)], capture_output=True, text=True, check=False)
    if result.returncode:
        print(f"{job}: {result.stderr.strip().splitlines()[-1:]}")
        return None
    return {"seconds": float(result.stdout.split()[-1])}


def table(results: pd.DataFrame) -> pd.DataFrame:
    """Seconds per method and number of cells, with ratios to our default method."""
    names = results["method"] + np.where(
        results["epochs"] == WHOLE, "", " (" + results["epochs"].astype(str) + " epochs only)"
    )
    seconds = results.assign(method=names).pivot_table(index="method", columns="cells", values="seconds")
    ratios = seconds / seconds.loc["clear"]
    seconds.columns = [f"{n} cells, s" for n in seconds]
    ratios.columns = [f"{n} cells, / clear" for n in ratios]
    return pd.concat([seconds, ratios], axis=1)


def main(file: str, method: str, epochs: int) -> None:
    """Embed the cells of a file and print the seconds."""
    warnings.filterwarnings("ignore")
    import anndata as ad
    import torch

    from benchmarks.quality import methods

    torch.set_num_threads(1)
    adata = ad.read_h5ad(file)
    embed = methods.METHODS[method]
    if epochs != WHOLE:
        embed = {"Concord": _concord, "scVI": _scvi}[method]
    _embed(embed, adata[:WARM_UP].copy(), epochs)
    start = time.process_time()
    _embed(embed, adata, epochs)
    print(time.process_time() - start)


def _embed(embed: Callable[..., object], adata: AnnData, epochs: int) -> None:
    embed(adata, 0, None) if epochs == WHOLE else embed(adata, epochs)


def _concord(adata: AnnData, epochs: int) -> None:
    import concord as ccd
    import scanpy as sc

    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    genes = ccd.ul.select_features(adata, n_top_features=2000, flavor="seurat_v3")
    model = ccd.Concord(
        adata=adata,
        input_feature=genes,
        domain_key=None,
        seed=0,
        device="cpu",
        save_dir=None,
        verbose=False,
        n_epochs=epochs,
    )
    model.fit_transform(output_key="concord")


def _scvi(adata: AnnData, epochs: int) -> None:
    import scanpy as sc
    import scvi

    logged = adata.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    sc.pp.highly_variable_genes(logged, n_top_genes=2000)
    part = adata[:, logged.var["highly_variable"].to_numpy()].copy()
    scvi.model.SCVI.setup_anndata(part)
    model = scvi.model.SCVI(part)
    model.train(max_epochs=epochs, accelerator="cpu", enable_progress_bar=False)
    model.get_latent_representation()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
