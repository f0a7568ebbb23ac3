"""An AnnData as `pp.select_n_top_genes` leaves its record, made without trying."""

from __future__ import annotations

import numpy as np
from anndata import AnnData


def tried(numbers=(500, 1000, 2000), chosen: int = 1000) -> AnnData:
    adata = AnnData(np.zeros((3, 2), dtype=np.float32))
    adata.uns["clr_n_top_genes"] = {
        "n_top_genes": chosen,
        "candidates": np.array(numbers),
        "morans_i": np.linspace(0.2, 0.3, len(numbers)),
        "spread": np.full(len(numbers), 0.01),
    }
    return adata
