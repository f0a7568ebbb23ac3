"""What names no column, or is no number, is refused by the argument's name, before any work."""

from __future__ import annotations

import numpy as np
import pytest

import scclr_ext as clr
from anndata_state import unchanged

COLUMNS = {
    "groupby": [
        lambda adata, key: clr.get.composition(adata, "group", key),
        lambda adata, key: clr.get.scores_by_group(adata, "0", key),
        lambda adata, key: clr.tl.gene_attribution(adata, groupby=key),
        lambda adata, key: clr.tl.contrastive_pseudotime(adata, "0", groupby=key),
    ],
    "unit": [lambda adata, key: clr.get.composition(adata, "group", "batch", unit=key)],
    "stage": [lambda adata, key: clr.get.pseudotime_order(adata, key)],
    "labels": [lambda adata, key: clr.tl.stability(adata, labels=key)],
    "left": [lambda adata, key: clr.get.cluster_flow(adata, key, "group")],
    "batch_key": [lambda adata, key: clr.tl.contrastive_cluster(adata, batch_key=key)],
}
CALLS = [pytest.param(name, call, id=f"{name}-{i}") for name, calls in COLUMNS.items() for i, call in enumerate(calls)]


@pytest.fixture
def embedded(counts):
    clr.pp.contrastive_preprocess(counts, n_top_genes=50)
    clr.tl.contrastive_embed(counts, "contrastive-sc", n_steps=2, device="cpu", progress=False)
    return counts


@pytest.mark.filterwarnings("ignore:Do not trust this embedding:UserWarning")
@pytest.mark.parametrize(("argument", "call"), CALLS)
def test_a_column_is_one_name(embedded, argument, call) -> None:
    with unchanged(embedded), pytest.raises(TypeError, match=f"`{argument}` must be the name of one column"):
        call(embedded, ["group", "batch"])
    with unchanged(embedded), pytest.raises(KeyError, match=f"`{argument}='nope'` is not a column of adata.obs; found"):
        call(embedded, "nope")


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("n_genes", lambda adata: clr.pl.augmentation_preview(adata, n_genes=2.5)),
        ("min_fraction", lambda adata: clr.pl.cluster_flow(adata, "group", "batch", min_fraction="x")),
        ("min_overlap", lambda adata: clr.tl.map_query(adata, adata, min_overlap="x")),
        ("novelty_quantile", lambda adata: clr.tl.map_query(adata, adata, novelty_quantile=None)),
        ("t", lambda adata: clr.metrics.uniformity(adata.X.toarray(), t="2")),
        ("random_state", lambda adata: clr.metrics.uniformity(adata.X.toarray(), random_state=-1)),
        ("random_state", lambda adata: clr.pp.simulate_dropout(adata, 0.1, random_state=True)),
    ],
)
def test_a_number_is_a_number(counts, argument, call) -> None:
    with unchanged(counts), pytest.raises(ValueError, match=f"`{argument}`"):
        call(counts)


def test_a_seed_of_numpy_is_recorded_as_a_plain_one(counts) -> None:
    clr.pp.simulate_dropout(counts, 0.1, random_state=np.uint32(7))
    assert type(counts.uns["clr_dropout"]["random_state"]) is int
