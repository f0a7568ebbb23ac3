"""Diffusion pseudotime against its definition and scanpy's; a consensus against its parts."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
from anndata import AnnData
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.neighbors import kneighbors_graph

from scclr_ext.tl._pseudotime.order import agreed_order, diffusion_distance


def by_definition(links: np.ndarray, root: int, n_components: int = 9) -> np.ndarray:
    """Haghverdi et al. 2016, equation 2 of the methods, on the density-normalised transition matrix."""
    degree = links.sum(axis=1)
    kernel = links / np.outer(degree, degree)
    scale = np.sqrt(kernel.sum(axis=1))
    values, vectors = np.linalg.eigh(kernel / np.outer(scale, scale))
    values, vectors = values[::-1][1 : n_components + 1], vectors[:, ::-1][:, 1 : n_components + 1]
    difference = (vectors - vectors[root]) * values / (1 - values)
    distance = np.sqrt((difference**2).sum(axis=1))
    return distance / distance.max()


def graph(n: int = 80, k: int = 8, seed: int = 0) -> sparse.csr_matrix:
    rep = np.random.default_rng(seed).normal(size=(n, 3)) * [4, 1, 1]
    directed = kneighbors_graph(rep, k)
    return sparse.csr_matrix(directed.maximum(directed.T))


@pytest.mark.parametrize("seed", [0, 1])
def test_distance_is_that_of_the_definition_and_of_scanpy(seed: int) -> None:
    links = graph(seed=seed)
    ours = diffusion_distance(links, 5, 0)
    np.testing.assert_allclose(ours, by_definition(links.toarray(), 5), rtol=1e-3, atol=1e-4)
    adata = AnnData(np.zeros((80, 0), dtype=np.float32), obsp={"connectivities": links, "distances": links})
    params = {"n_neighbors": 8, "method": "umap"}
    adata.uns["neighbors"] = {
        "connectivities_key": "connectivities",
        "distances_key": "distances",
        "params": params,
    }
    adata.uns["iroot"] = 5
    sc.tl.diffmap(adata)
    sc.tl.dpt(adata)
    np.testing.assert_allclose(ours, adata.obs["dpt_pseudotime"], rtol=1e-4, atol=1e-5)


def test_a_long_trajectory_keeps_its_order() -> None:
    """Its slowest components have eigenvalues above 0.9994, which scanpy's sum all but drops."""
    n = 700
    places = np.arange(n)
    near = np.abs(places[:, None] - places) <= 4
    np.fill_diagonal(near, val=False)
    distance = diffusion_distance(sparse.csr_matrix(near.astype(float)), 0, 0)
    assert spearmanr(distance, places)[0] > 0.999
    assert distance[0] == 0
    assert distance.max() == 1


def test_cells_that_nothing_tells_apart() -> None:
    complete = sparse.csr_matrix(1 - np.eye(6))
    distance = diffusion_distance(complete, 2, 0)
    assert np.isfinite(distance).all()
    assert distance[2] == 0


def test_consensus_is_the_median_place_and_the_mean_value_there() -> None:
    right = np.array([0.0, 0.1, 0.2, 0.6, 1.0])
    skewed = np.array([0.0, 0.5, 0.6, 0.7, 1.0])
    wrong = right[::-1]
    found = agreed_order([right, skewed, wrong])
    np.testing.assert_allclose(found.pseudotime, (np.sort(right) + skewed + np.sort(wrong)) / 3)
    assert found.agreement == pytest.approx((1 - 1 - 1) / 3)
    np.testing.assert_allclose(found.spread[[0, 2]], [2 / 5, 0.0])


def test_one_order_agrees_with_itself() -> None:
    order = np.array([0.0, 1.0, 0.4])
    found = agreed_order([order])
    np.testing.assert_array_equal(found.pseudotime, order)
    assert found.agreement == 1
    assert not found.spread.any()


def test_a_few_bad_graphs_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    truth = np.sort(rng.random(200))
    good = [np.clip(truth + rng.normal(scale=0.05, size=200), 0, 1) for _ in range(7)]
    bad = [rng.random(200) for _ in range(3)]
    found = agreed_order(good + bad)
    assert spearmanr(found.pseudotime, truth)[0] > max(spearmanr(order, truth)[0] for order in good)
    assert found.agreement < agreed_order(good).agreement
    assert found.spread.mean() > agreed_order(good).spread.mean()
