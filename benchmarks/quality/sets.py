"""The real labelled data sets: every .h5ad file with `obs["cell_type"]` in SCCLR_DATA."""

from __future__ import annotations

import os
from pathlib import Path

import anndata as ad

FOLDER = Path(os.environ.get("SCCLR_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

# Labels that were made from a PCA and its clusters favour PCA. These were not: cell lines told by genotype,
# embryos by the stage at which they were taken, chemistries by the experiment.
INDEPENDENT_LABELS = ("cellbench_3cl", "deng", "yan")

# Cells of two conditions: what is told as the batch is what an experiment may be about. How well methods integrate
# them says something; that one should is another matter.
CONDITIONS_AS_BATCHES = ("kang_ifnb", "kang_ifnb_muscat", "pbmc_2_conditions")


def names() -> list[str]:
    """Names of the sets found, smallest file first."""
    files = sorted(FOLDER.glob("*.h5ad"), key=lambda file: file.stat().st_size)
    if not files:
        msg = f"no .h5ad files in {FOLDER}; set SCCLR_DATA to the folder with the data sets"
        raise SystemExit(msg)
    return [file.stem for file in files]


def load(name: str, *, also: tuple[str, ...] = ()) -> ad.AnnData:
    """Read one set; annotation other than type, batch, condition and what is in `also` is dropped."""
    adata = ad.read_h5ad(FOLDER / f"{name}.h5ad")
    adata.var_names_make_unique()
    keep = [key for key in ("cell_type", "batch", "condition", *also) if key in adata.obs]
    adata.obs = adata.obs[keep].copy()
    if "condition" in adata.obs and adata.obs["condition"].nunique() > 1:
        adata.obs["batch"] = adata.obs["condition"]
    return adata
