"""Types told apart by small differences in many genes, which no two views of one cell can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

import scclr_ext as clr
from scclr_ext.engine.methods import ClearConfig
from scclr_ext.metrics import adjusted_rand_index

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

GROUPS = 4


@pytest.fixture(scope="module")
def weak() -> AnnData:
    adata = clr.datasets.simulate_cells(
        600, 1000, n_groups=GROUPS, de_facscale=0.25, dropout_mid=0.0, random_state=1, progress=False
    )
    clr.pp.contrastive_preprocess(adata, n_top_genes=600)
    return adata


def agreement(representation: np.ndarray, adata: AnnData) -> float:
    clusters = KMeans(GROUPS, n_init=5, random_state=0).fit_predict(representation)
    return adjusted_rand_index(adata.obs["group"], clusters)


@pytest.fixture(scope="module")
def by_pca(weak) -> float:
    logged = weak[:, weak.var["highly_variable"]].X.toarray()
    return agreement(PCA(50, random_state=0).fit_transform((logged - logged.mean(axis=0)) / logged.std(axis=0)), weak)


@pytest.mark.parametrize("method", ["clear", "scclr"])
def test_nearly_as_good_as_a_pca(weak, by_pca, method) -> None:
    adata = clr.tl.contrastive_embed(weak, method, device="cpu", progress=False, copy=True)
    assert agreement(adata.obsm["X_clr"], weak) > by_pca - 0.15


def test_views_of_one_cell_do_not_show_them(weak, by_pca) -> None:
    alone = ClearConfig(neighbor_probability=0)
    adata = clr.tl.contrastive_embed(weak, alone, device="cpu", progress=False, copy=True)
    assert agreement(adata.obsm["X_clr"], weak) < by_pca - 0.15
