"""Write the models that later releases must still load: ``python tests/io/make_fixtures.py``.

Run once for each format. A release that changes the format adds fixtures and leaves the old ones alone.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata as ad
import numpy as np

import scclr_ext as clr
from scclr_ext.engine.methods import ClearConfig, ContrastiveSCConfig, ScclrConfig

FOLDER = Path(__file__).parent / "fixtures" / "format-1"
CONFIGS = {
    "scclr": ScclrConfig(steps=20, hidden=(8,), embedding_dim=4, head=(4,)),
    "clear": ClearConfig(steps=20, hidden=(8,), embedding_dim=4),
    "contrastive-sc": ContrastiveSCConfig(steps=20, hidden=(8,), embedding_dim=4),
}


def main() -> None:
    """Train each method on 24 cells of 12 genes."""
    rng = np.random.default_rng(0)
    warnings.simplefilter("ignore")  # nothing is learned from so few cells
    for method, config in CONFIGS.items():
        adata = ad.AnnData(rng.poisson(2.0, (24, 12)).astype(np.float32))
        adata.var_names = [f"gene{i}" for i in range(12)]
        adata.obs["cell_type"] = np.where(np.arange(24) % 2, "odd", "even")
        clr.pp.contrastive_preprocess(adata, method)
        clr.tl.contrastive_embed(adata, config, device="cpu", progress=False)
        clr.io.save(adata, FOLDER / method, labels="cell_type")
        np.savetxt(FOLDER / f"{method}.csv", adata.X, delimiter=",", fmt="%.9g")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True)
    main()
