"""Records of other cells than are there, or of an earlier training, are told of; what is in order is not."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pytest

import scclr_ext as clr
from anndata_state import assert_reads_back
from joined import embedded_apart, joined, train
from scclr_ext._records import ATTRIBUTION, CLUSTERS, PSEUDOTIME
from scclr_ext._stale import noted_training, training_of, warn_of_earlier_training, warn_of_other_cells

APART = r"adata\.uns\['clr'\], the record of adata\.obsm\['X_clr'\], is what is left of .*joined.*tl\.map_query"
FEWER = r"obsm\['X_clr'\] has 140 cells.*\(adata\.uns\['clr'\]\) was trained on 80\. Unless.*embed all cells together"


@pytest.mark.parametrize(("how", "message"), [("same", APART), ("unique", APART), ("first", FEWER)])
def test_samples_that_were_embedded_apart_and_joined(counts, tmp_path, how, message) -> None:
    both = joined(counts, how)
    both.write_h5ad(tmp_path / "both.h5ad")
    for adata in (both, ad.read_h5ad(tmp_path / "both.h5ad")):
        with pytest.warns(UserWarning, match=message) as caught:
            warn_of_other_cells(adata, "X_clr", "clr")
        assert len(caught) == 1


def test_trainings_of_the_same_length_on_as_many_cells(counts) -> None:
    clr.pp.contrastive_preprocess(counts)
    both = ad.concat([train(counts[:70]), train(counts[70:140])], uns_merge="same")
    assert both.uns["clr"]["params"]["n_cells"] == 70
    assert "history" in both.uns["clr"]  # without a loss
    with pytest.warns(UserWarning, match=APART):
        warn_of_other_cells(both, "X_clr", "clr")


@pytest.mark.parametrize("how", ["same", "unique", "first"])
def test_cells_of_one_embedding(counts, how) -> None:
    whole, _ = embedded_apart(counts)
    parts = [whole[:30], whole[30:70]]
    for adata in (whole, whole[:20].copy(), ad.concat(parts, uns_merge=how)):  # warnings are errors
        warn_of_other_cells(adata, "X_clr", "clr")
    warn_of_other_cells(ad.concat(parts), "X_clr", "clr")  # which has no record
    warn_of_other_cells(whole, "X_pca", "X_pca")


@pytest.mark.parametrize("how", ["same", "unique", "first", None])
@pytest.mark.filterwarnings("ignore:.* of the query's cells are farther")
def test_queries_that_were_mapped(counts, how) -> None:
    raw = counts.copy()
    reference, _ = embedded_apart(counts)
    seen = reference.var_names[reference.var["highly_variable"]]
    # They lack different genes, so that joining leaves only a part of the records of the mappings.
    queries = [raw[80:140, raw.var_names != seen[0]].copy(), raw[140:, raw.var_names != seen[1]].copy()]
    for query, quantile in zip(queries, (0.9, 0.95), strict=True):  # what differs is lost as well
        clr.tl.map_query(query, reference, device="cpu", novelty_quantile=quantile)
    both = ad.concat([reference, *queries], uns_merge=how)
    if how == "unique":
        assert "missing_genes" not in both.uns["clr_mapping"]
    warn_of_other_cells(both, "X_clr", "clr")
    warn_of_other_cells(ad.concat(queries, uns_merge=how), "X_clr", "clr")
    if how in {"unique", "first"}:
        both.uns["clr_mapping"]["params"]["obsm_key"] = "X_other"
        with pytest.warns(UserWarning, match="Unless the others were mapped onto it"):
            warn_of_other_cells(both, "X_clr", "clr")


def embedding(*losses: float) -> dict:
    return {"params": {"obsm_key": "X_clr"}, "history": {"loss": np.array(losses)}}


def test_a_training_is_known_by_its_losses() -> None:
    names = {training_of(embedding(*losses)) for losses in ((), (1.0,), (1.0, 2.0), (2.0, 1.0))}
    assert len(names) == 4
    assert training_of(embedding(1.0, 2.0)) in names
    assert training_of(None) == training_of({"params": {}}) == ""
    adata = ad.AnnData(np.zeros((3, 1), dtype=np.float32), uns={"clr": embedding(1.0)})
    assert noted_training(adata, "clr") == {"training": training_of(embedding(1.0))}
    assert noted_training(adata, "foo") == {}


RESULTS = {
    CLUSTERS: ("contrastive_cluster", {"params": {"use_rep": "X_clr", "n_clusters": 2}}),
    PSEUDOTIME: ("contrastive_pseudotime", {"params": {"use_rep": "X_clr"}, "n_pieces": 1, "agreement": 1.0}),
    ATTRIBUTION: (
        "gene_attribution",
        {"params": {"key": "clr", "difference_key": "d"}, "groups": [], "genes": [], "total": [], "error": []},
    ),
}


@pytest.mark.parametrize("kind", list(RESULTS))
def test_what_an_earlier_training_left(kind) -> None:
    function, record = RESULTS[kind]
    adata = ad.AnnData(np.zeros((3, 1), dtype=np.float32), uns={"clr": embedding(1.0), "foo": embedding(9.0)})
    adata.uns["mine"] = record | {"params": record["params"] | noted_training(adata, "clr")}
    warn_of_earlier_training(adata, "mine", kind)  # warnings are errors
    adata.uns["clr"] = embedding(2.0)
    again = rf"scclr_ext\.tl\.{function}\(adata, \.\.\., (key='clr'|use_rep='X_clr'), key_added='mine'\) again"
    with pytest.warns(UserWarning, match=rf"uns\['mine'\] was made from an earlier training of .*'clr'\]: .*{again}"):
        warn_of_earlier_training(adata, "mine", kind)
    for other in {*RESULTS} - {kind}:
        warn_of_earlier_training(adata, "mine", other)
    warn_of_earlier_training(adata, "gone", kind)
    adata.uns["mine"]["params"].pop("training")  # as an older version wrote it
    warn_of_earlier_training(adata, "mine", kind)
    adata.uns["mine"]["params"]["training"] = "another"
    del adata.uns["clr"]
    warn_of_earlier_training(adata, "mine", kind)


def test_the_training_that_is_noted_is_that_of_the_embedding_that_was_used(counts) -> None:
    clr.pp.contrastive_preprocess(counts, n_top_genes=60)
    counts = train(counts[:60])
    counts.obsm["foo"], counts.uns["foo"] = counts.obsm["X_clr"], embedding(9.0)
    counts.obsm["X_pca"] = counts.obsm["X_clr"]
    quick = {"resolution": 1.0, "random_state": 1}
    for use_rep, key in (("X_clr", "clr"), ("foo", "foo"), ("X_pca", "")):
        clr.tl.contrastive_cluster(counts, use_rep=use_rep, key_added=f"{use_rep}_clusters", **quick)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clr.tl.contrastive_pseudotime(counts, 0, use_rep=use_rep, key_added=f"{use_rep}_pseudotime", progress=False)
        expected = training_of(counts.uns.get(key))
        for what in ("clusters", "pseudotime"):
            assert counts.uns[f"{use_rep}_{what}"]["params"].get("training", "") == expected


def test_what_was_noted_survives_a_file(counts, tmp_path) -> None:
    clr.pp.contrastive_preprocess(counts, n_top_genes=60)
    counts = train(counts[:60])
    clr.tl.gene_attribution(counts, n_steps=2, device="cpu", progress=False)
    counts.write_h5ad(tmp_path / "cells.h5ad")
    read = ad.read_h5ad(tmp_path / "cells.h5ad")
    assert_reads_back(read.uns["clr_attribution"], counts.uns["clr_attribution"])
    assert read.uns["clr_attribution"]["params"]["training"] == training_of(read.uns["clr"])
