"""What is done with a trained model, on the pretend device: the same as on the CPU."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from anndata import AnnData
from sklearn.neighbors import NearestNeighbors

import scclr_ext as clr
from rehearsal import pretend
from scclr_ext.engine.methods import METHODS
from scclr_ext.tl._repeats import run_once

# A training of a few steps has learned nothing, and a query with few genes has no library size, as the calls say.
pytestmark = pytest.mark.filterwarnings("ignore:(.*Do not trust|The contributions to|The library size):UserWarning")

each_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def parts(counts: AnnData) -> tuple[AnnData, AnnData]:
    """A reference and a query."""
    clr.pp.contrastive_preprocess(counts)
    return counts[:150].copy(), counts[150:].copy()


def embed(adata: AnnData, method: str) -> None:
    clr.tl.contrastive_embed(adata, method, batch_key="batch", n_steps=30, progress=False)
    assert adata.uns["clr"]["device"] == "pretend:0"


def on_both(function: Any, *data: AnnData, **options: Any) -> list[AnnData]:
    """What a function makes of copies: on the pretend device, where it must do something, and on the CPU."""
    made = []
    for device in ("auto", "cpu"):
        first, *others = (adata.copy() for adata in data)
        pretend.forget()
        function(first, *others, device=device, **options)
        assert (pretend.waits().total() > 0) == (device == "auto")
        made.append(first)
    return made


@pytest.mark.parametrize("free", [2**40, 0], ids=["held", "fetched"])
@each_method
def test_mapping(parts, monkeypatch, method, free) -> None:
    reference, query = parts
    embed(reference, method)
    monkeypatch.setattr(pretend, "free_bytes", free)
    some = query[:, np.random.default_rng(0).permutation(query.n_vars)[:250]].copy()  # genes missing, in another order
    ours, expected = on_both(clr.tl.map_query, some, reference, labels="group", batch_key="batch")
    np.testing.assert_allclose(ours.obsm["X_clr"], expected.obsm["X_clr"], atol=1e-5)
    assert list(ours.obs["clr_label"]) == list(expected.obs["clr_label"])


@pytest.mark.parametrize("groupby", [None, "group"])
@each_method
def test_attribution(parts, method, groupby) -> None:
    adata, _ = parts
    embed(adata, method)
    ours, expected = on_both(clr.tl.gene_attribution, adata, groupby=groupby, progress=False)
    np.testing.assert_allclose(ours.varm["clr_attribution"], expected.varm["clr_attribution"], atol=1e-5)


def plain_graph(rep: np.ndarray, use_rep: str, n_neighbors: int, random_state: int) -> AnnData:
    """What scanpy makes without loading the libraries it makes it with, which takes longer than all of this file."""
    near = NearestNeighbors(n_neighbors=n_neighbors).fit(rep)
    distances, connectivities = (near.kneighbors_graph(mode=mode) for mode in ("distance", "connectivity"))
    return AnnData(obsm={use_rep: rep}, obsp={"distances": distances, "connectivities": connectivities})


def test_stability(parts, monkeypatch) -> None:
    monkeypatch.setattr(run_once, "neighbor_graph", plain_graph)
    adata, _ = parts
    options = {"n_seeds": 2, "n_steps": 30, "batch_key": "batch", "progress": False}
    ways = {"cluster_method": "kmeans", "n_clusters": 3}
    ours, expected = on_both(clr.tl.stability, adata, method="scclr", **options, **ways)
    assert list(ours.obs["clr_consensus"]) == list(expected.obs["clr_consensus"])


@each_method
def test_a_saved_model_is_the_same_on_every_device(parts, tmp_path, method) -> None:
    reference, query = parts
    embed(reference, method)
    clr.io.save(reference, tmp_path / "model", labels="group")
    model = clr.io.load(tmp_path / "model")
    ours, expected = (model.trained.embed(reference[:, model.genes].X, device=device) for device in ("auto", "cpu"))
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    np.testing.assert_allclose(ours, reference.obsm["X_clr"], atol=1e-5)
    mapped, _ = on_both(lambda adata, **options: clr.tl.map_query(adata, model, labels="group", **options), query)
    assert mapped.obsm["X_clr"].shape == (query.n_obs, reference.obsm["X_clr"].shape[1])


@each_method
def test_preview_is_drawn_on_the_cpu(parts, method) -> None:
    pretend.forget()
    clr.pl.augmentation_preview(parts[0], method, show=False)
    plt.close("all")
    assert pretend.waits().total() == 0
