"""CLEAR's six scores: their definition, their limits, and the figures on a real set."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from scclr_ext.metrics import batch_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

NAMES = ["cARI", "1-bARI", "f1_ARI", "cASW", "1-bASW", "f1_ASW"]


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    types, batches = rng.integers(3, size=120), rng.integers(2, size=120)
    x = 3 * np.eye(5)[types] + np.eye(5)[3 + batches] + rng.normal(size=(120, 5))
    clusters = np.where(rng.random(120) < 0.2, 3 + batches, types)
    return types, batches, clusters, x


def test_definition(cells) -> None:
    types, batches, clusters, x = cells
    scores = batch_scores(types, batches, clusters=clusters, representation=x).to_dict()
    assert list(scores) == NAMES
    c, b = adjusted_rand_score(types, clusters), adjusted_rand_score(batches, clusters)
    assert scores["cARI"] == pytest.approx(c)
    assert scores["1-bARI"] == pytest.approx(1 - b)
    assert scores["f1_ARI"] == pytest.approx(2 / (1 / c + 1 / (1 - b)))
    c, b = ((silhouette_score(x, labels) + 1) / 2 for labels in (types, batches))
    assert scores["cASW"] == pytest.approx(c)
    assert scores["1-bASW"] == pytest.approx(1 - b)
    assert scores["f1_ASW"] == pytest.approx(2 / (1 / c + 1 / (1 - b)))


def test_only_what_was_given_is_scored(cells) -> None:
    types, batches, clusters, x = cells
    assert list(batch_scores(types, batches, clusters=clusters).to_dict()) == NAMES[:3]
    assert list(batch_scores(types, batches, representation=x).to_dict()) == NAMES[3:]
    assert batch_scores(types, batches, clusters=clusters).f1_asw is None


def test_clusters_that_are_batches_score_nothing(cells) -> None:
    types, batches, _, _ = cells
    scores = batch_scores(types, batches, clusters=batches)
    assert scores.one_minus_b_ari == 0
    assert scores.f1_ari == 0


def test_harmonic_means_stay_in_range() -> None:
    # Both terms are outside 0 to 1 here: cARI below, 1 - bARI above.
    types, batches, clusters = [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]
    scores = batch_scores(types, batches, clusters=clusters)
    assert scores.c_ari is not None and scores.c_ari < 0
    assert scores.one_minus_b_ari is not None and scores.one_minus_b_ari > 1
    assert scores.f1_ari == 0
    assert batch_scores(types, batches, clusters=types).f1_ari == 1


def test_scores_are_frozen(cells) -> None:
    types, batches, clusters, _ = cells
    scores = batch_scores(types, batches, clusters=clusters)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scores.f1_ari = 1.0  # type: ignore[misc]


def test_errors(cells) -> None:
    types, batches, clusters, x = cells
    with pytest.raises(ValueError, match="Neither `clusters` nor `representation`"):
        batch_scores(types, batches)
    with pytest.raises(ValueError, match="only one batch"):
        batch_scores(types, np.zeros(120), clusters=clusters)
    with pytest.raises(ValueError, match="only one type"):
        batch_scores(np.zeros(120), batches, representation=x)
    with pytest.raises(ValueError, match="`batches` has 119 entries for 120 cells"):
        batch_scores(types, batches[1:], clusters=clusters)
    with pytest.raises(ValueError, match="`clusters` has 119 entries"):
        batch_scores(types, batches, clusters=clusters[1:])
    with pytest.raises(ValueError, match="119 cells"):
        batch_scores(types, batches, representation=x[1:])


def test_kang_figures_of_pca(load_shared: Callable[[str], AnnData]) -> None:
    # Measured independently with PCA-50 and KMeans at the true number: f1_ARI .67, f1_ASW .504.
    import scanpy as sc
    from sklearn.cluster import KMeans

    adata = load_shared("kang_ifnb")
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=2000)
    adata = adata[:, adata.var["highly_variable"]].copy()
    adata.X = adata.X.toarray()
    sc.pp.scale(adata, max_value=10)
    sc.pp.pca(adata, n_comps=50)
    x, types = adata.obsm["X_pca"], adata.obs["cell_type"]
    clusters = KMeans(types.nunique(), n_init=10, random_state=1).fit_predict(x)
    scores = batch_scores(types, adata.obs["batch"], clusters=clusters, representation=x)
    assert scores.f1_ari == pytest.approx(0.67, abs=0.06)
    assert scores.f1_asw == pytest.approx(0.504, abs=0.003)
