"""Data that several tests use, and a clean state after each of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib: no test may open a window

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same examples every time: whoever runs the tests first is not the one to find a new one.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

ROOT = Path(__file__).resolve().parents[1]
N_CELLS, N_GENES, N_GROUPS, N_MARKERS = 200, 300, 3, 30


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real labelled data: SCCLR_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("SCCLR_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"needs the real data sets: there is no folder {folder} (SCCLR_DATA names another)")
    return folder


@pytest.fixture
def load_shared(data_dir: Path) -> Callable[[str], ad.AnnData]:
    """Read one of the real data sets by its name, without the file's suffix."""

    def load(name: str) -> ad.AnnData:
        path = data_dir / f"{name}.h5ad"
        if not path.is_file():
            pytest.skip(f"needs the real data set {name!r}: there is no {path}")
        return ad.read_h5ad(path)

    return load


@pytest.fixture(scope="session")
def _pbmc() -> ad.AnnData:
    import scanpy as sc

    reduced = sc.datasets.pbmc68k_reduced()
    pbmc = reduced.raw.to_adata()
    pbmc.obs = reduced.obs[["bulk_labels"]].copy()
    for mapping in (pbmc.uns, pbmc.obsm, pbmc.varm, pbmc.obsp):
        mapping.clear()
    return pbmc


@pytest.fixture
def pbmc(_pbmc: ad.AnnData) -> ad.AnnData:
    """700 real blood cells with 765 genes, log-normalised (not counts), with `obs["bulk_labels"]`."""
    return _pbmc.copy()


@pytest.fixture(scope="session")
def _counts() -> ad.AnnData:
    rng = np.random.default_rng(0)
    group = np.arange(N_CELLS) % N_GROUPS
    batch = np.arange(N_CELLS) // N_GROUPS % 2

    baseline = rng.gamma(shape=0.6, scale=1.5, size=N_GENES)
    per_group = np.ones((N_GROUPS, N_GENES))
    for i in range(N_GROUPS):
        per_group[i, i * N_MARKERS : (i + 1) * N_MARKERS] = 6.0
    per_batch = np.exp(rng.normal(0.0, 0.2, size=(2, N_GENES)))
    depth = rng.lognormal(0.0, 0.3, size=(N_CELLS, 1))

    counts = rng.poisson(depth * baseline * per_group[group] * per_batch[batch])
    obs = pd.DataFrame(
        {"group": pd.Categorical([f"type{i}" for i in group]), "batch": pd.Categorical([f"donor{i}" for i in batch])},
        index=[f"cell{i}" for i in range(N_CELLS)],
    )
    var = pd.DataFrame(index=[f"gene{i}" for i in range(N_GENES)])
    return ad.AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=obs, var=var)


@pytest.fixture
def counts(_counts: ad.AnnData) -> ad.AnnData:
    """Simulated raw counts: 200 cells of three groups (30 markers each) and two batches, 300 genes, CSR float32."""
    return _counts.copy()
