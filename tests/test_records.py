"""No function writes its record over one of another kind."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scanpy as sc

import scclr_ext as clr
from anndata_state import unchanged
from joined import QUICK as TWO_STEPS
from joined import joined
from scclr_ext import _records

pytestmark = pytest.mark.filterwarnings(
    "ignore:(Do not trust|The contributions to|The graphs hardly|The neighbour graph is in)"
)
QUICK = {"device": "cpu", "progress": False, "n_steps": 2}
CALLS = {
    _records.EMBEDDING: lambda a, key: clr.tl.contrastive_embed(a, key_added=key, **QUICK),
    _records.CLUSTERS: lambda a, key: clr.tl.contrastive_cluster(a, resolution=1.0, key_added=key),
    _records.STABILITY: lambda a, key: clr.tl.stability(a, n_seeds=2, resolution=1.0, key_added=key, **QUICK),
    _records.ATTRIBUTION: lambda a, key: clr.tl.gene_attribution(
        a, n_steps=2, key_added=key, device="cpu", progress=False
    ),
    _records.PSEUDOTIME: lambda a, key: clr.tl.contrastive_pseudotime(
        a, 0, keep_graph=True, key_added=key, progress=False
    ),
}
PLACES = {
    _records.EMBEDDING: "clr",
    _records.CLUSTERS: "clr_clusters",
    _records.STABILITY: "clr_stability",
    _records.ATTRIBUTION: "clr_attribution",
    _records.PSEUDOTIME: "clr_pseudotime",
}


@pytest.fixture(scope="module")
def _full(_counts: ad.AnnData, tmp_path_factory) -> ad.AnnData:
    full = _counts[:60].copy()
    clr.pp.select_n_top_genes(full, candidates=(20, 40))
    clr.tl.contrastive_embed(full, **QUICK)
    for kind, key in PLACES.items():
        if kind != _records.EMBEDDING:
            CALLS[kind](full, key)
    sc.tl.umap(full)
    sc.pp.pca(full)
    sc.tl.rank_genes_groups(full, "group")
    full.write_h5ad(path := tmp_path_factory.mktemp("records") / "full.h5ad")
    return ad.read_h5ad(path)


def test_every_record_is_of_one_kind(_full) -> None:
    found = {key: [kind for kind in PLACES if _records.is_record(_full.uns[key], kind)] for key in _full.uns}
    assert {key: kinds[0] for key, kinds in found.items() if kinds} == {key: kind for kind, key in PLACES.items()}


@pytest.mark.parametrize("kind", list(PLACES))
def test_a_record_of_another_kind_stays(_full, kind) -> None:
    others = [key for key in _full.uns if key != PLACES[kind] and not key.endswith("_colors")]
    assert {"neighbors", "log1p", "pca", "umap", "rank_genes_groups", "clr_preprocess", "clr_n_top_genes"} < set(others)
    for key in others:
        with unchanged(_full), pytest.raises(ValueError, match=rf"`key_added` '{key}'.*give another"):
            CALLS[kind](_full, key)


@pytest.mark.parametrize("kind", list(PLACES))
def test_a_record_of_the_same_kind_is_replaced(_full, kind) -> None:
    full = _full.copy()
    if kind == _records.EMBEDDING:
        with pytest.raises(ValueError, match="would be written over"):  # its own key in obsm is another one
            CALLS[kind](full, PLACES[kind])
    else:
        CALLS[kind](full, PLACES[kind])
    full.uns["mine"] = np.arange(3)  # no record of anything
    CALLS[kind](full, "mine")
    assert _records.is_record(full.uns["mine"], kind)


@pytest.mark.parametrize("how", ["same", "unique"])
def test_what_joining_leaves_of_embeddings(counts, tmp_path, how) -> None:
    both = joined(counts, how)
    both.write_h5ad(tmp_path / "both.h5ad")
    for adata in (both, ad.read_h5ad(tmp_path / "both.h5ad")):
        assert _records.is_record(adata.uns["clr"], _records.REMAINS)
        assert not _records.is_record(adata.uns["clr"], _records.EMBEDDING)
        assert _records.embedding_params(adata.uns["clr"])["obsm_key"] == "X_clr"
        with pytest.raises(ValueError, match=r"uns\['clr'\] is what is left of .*together, or map one onto the other"):
            _records.find_record(adata, "clr", _records.EMBEDDING)
    with unchanged(both), pytest.raises(ValueError, match=r"what is left of.*would be lost"):
        clr.tl.contrastive_cluster(both, resolution=1.0, key_added="clr")
    with unchanged(both), pytest.raises(ValueError, match="would be written over"):
        clr.tl.contrastive_embed(both, key_added="X_clr", **TWO_STEPS)
    clr.tl.contrastive_embed(both, **TWO_STEPS)  # as the message says
    assert _records.is_record(both.uns["clr"], _records.EMBEDDING)


def test_a_record_that_lost_one_thing_is_not_what_joining_leaves(_full) -> None:
    for name in ("history", "mean", "weights"):
        rest = {key: value for key, value in _full.uns["clr"].items() if key != name}
        assert not _records.is_record(rest, _records.REMAINS)
    for kind, key in PLACES.items():
        if kind != _records.EMBEDDING:
            assert not _records.embedding_params(_full.uns[key])
