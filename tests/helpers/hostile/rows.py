"""A row per public function: how to call it, and which cases matter to it."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

import scclr_ext as clr

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK: dict[str, Any] = {"device": "cpu", "progress": False, "n_steps": 1}
N_CELLS, N_GENES = 24, 14


@dataclass(frozen=True)
class Row:
    """How to call a function; `concerns` are the kinds of cases that matter to it, beside those that always do."""

    call: Callable[..., Any]
    concerns: str = ""
    base: str = "ready"


def _save(adata: Any, **options: Any) -> None:
    with tempfile.TemporaryDirectory() as parent:
        clr.io.save(adata, **{"folder": Path(parent) / "model", **options})


def _plot(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    return lambda adata, **options: function(adata, *names, **{"show": False, **options})


def _embed(adata: Any, **options: Any) -> Any:
    method = options.pop("method", "contrastive-sc")
    return clr.tl.contrastive_embed(adata, method, **{"batch_key": "batch", **QUICK, **options})


def _embed_scclr(adata: Any, **options: Any) -> Any:
    return clr.tl.contrastive_embed(adata, "scclr", **QUICK, **options)


def _cluster(adata: Any, **options: Any) -> Any:
    if not options.keys() & {"n_clusters", "method"}:
        options = {"resolution": 1.0, **options}
    return (
        clr.tl.contrastive_cluster(adata, batch_key="batch", **options)
        if "batch_key" not in options
        else (clr.tl.contrastive_cluster(adata, **options))
    )


def _stability(adata: Any, **options: Any) -> Any:
    usual = {"n_seeds": 2, "cluster_method": "kmeans", "n_clusters": 2, "labels": "group", **QUICK}
    method = options.pop("method", "contrastive-sc")
    if "resolution" in options:
        usual |= {"cluster_method": "leiden", "n_clusters": None}
    return clr.tl.stability(adata, method, **{**usual, "batch_key": "batch", **options})


def _repeat(adata: Any, **options: Any) -> Any:
    return clr.tl.stability(adata, n_seeds=2, cluster_method="kmeans", n_clusters=2, **QUICK, **options)


def _preprocess(adata: Any, **options: Any) -> Any:
    return clr.pp.contrastive_preprocess(adata, **{"n_top_genes": 10, "batch_key": "batch", **options})


def _select(adata: Any, **options: Any) -> Any:
    return clr.pp.select_n_top_genes(adata, **{"candidates": (6, 10), "batch_key": "batch", **options})


def _preview(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda adata, **options: function(adata, **{"method": "contrastive-sc", **options})


def _pseudotime(adata: Any, **options: Any) -> Any:
    return clr.tl.contrastive_pseudotime(adata, **{"root": "type0", "groupby": "group", "progress": False, **options})


def _attribute(adata: Any, **options: Any) -> Any:
    quick = {"groupby": "group", "n_steps": 2, "device": "cpu", "progress": False}
    return clr.tl.gene_attribution(adata, **quick | options)


@cache
def _reference() -> ad.AnnData:
    return make_ready()


def _map(adata: Any, **options: Any) -> Any:
    usual = {"reference": _reference(), "labels": "group", "batch_key": "batch", "device": "cpu"}
    return clr.tl.map_query(adata, **usual | options)


def _map_to(adata: Any, **options: Any) -> Any:
    return clr.tl.map_query(make_counts(), adata, **{"labels": "group", "device": "cpu", **options})


# Beside "anything", which always matters: values, names, labels, genes, embedding, records.
ROWS: dict[str, Row] = {
    "pp.contrastive_preprocess": Row(_preprocess, "values names labels", "counts"),
    "pp.select_n_top_genes": Row(_select, "values names labels", "counts"),
    "pp.simulate_dropout": Row(
        lambda a, **options: clr.pp.simulate_dropout(a, **{"rate": 0.3, **options}), "values names", "counts"
    ),
    "tl.contrastive_embed": Row(_embed, "values names labels genes records"),
    "tl.contrastive_embed (scclr)": Row(_embed_scclr, "values"),
    "tl.contrastive_cluster": Row(_cluster, "names labels embedding"),
    "tl.stability": Row(_stability, "values names labels genes"),
    "tl.stability (recorded)": Row(_repeat, "records"),
    "get.embedding_qc": Row(clr.get.embedding_qc, "names labels embedding records"),
    "get.resolution_sweep": Row(clr.get.resolution_sweep, "records"),
    "get.n_top_genes": Row(clr.get.n_top_genes, "records"),
    "get.stability": Row(clr.get.stability, "records"),
    "get.cluster_flow": Row(
        lambda a, **options: clr.get.cluster_flow(a, **{"left": "group", "right": "batch", **options}), "names labels"
    ),
    "get.composition": Row(
        lambda a, **options: clr.get.composition(
            a, **{"labels": "group", "groupby": "batch", "unit": "donor"} | options
        ),
        "names labels",
    ),
    "get.composition_test": Row(
        lambda a, **options: clr.get.composition_test(
            a, **{"labels": "group", "groupby": "batch", "unit": "donor", "paired": False} | options
        ),
        "labels",
    ),
    "get.scores_by_group": Row(
        lambda a, **options: clr.get.scores_by_group(a, **{"score": "score", "groupby": "batch"} | options),
        "names labels",
    ),
    "get.scores_by_group (gene)": Row(
        lambda a, **options: clr.get.scores_by_group(a, "gene1", "batch", unit="donor", **options), "values"
    ),
    "get.scores_by_group_test": Row(
        lambda a, **options: clr.get.scores_by_group_test(
            a, **{"score": "score", "groupby": "batch", "unit": "donor", "paired": False} | options
        ),
        "labels",
    ),
    "pl.embedding_qc": Row(_plot(clr.pl.embedding_qc), "embedding records"),
    "pl.resolution_sweep": Row(_plot(clr.pl.resolution_sweep), "records"),
    "pl.n_top_genes": Row(_plot(clr.pl.n_top_genes), "records"),
    "pl.stability": Row(_plot(clr.pl.stability), "records"),
    "pl.cluster_flow": Row(
        _plot(lambda a, **o: clr.pl.cluster_flow(a, **{"left": "group", "right": "batch"} | o)), "labels"
    ),
    "pl.composition": Row(
        _plot(lambda a, **o: clr.pl.composition(a, **{"labels": "group", "groupby": "batch"} | o)), "labels"
    ),
    "pl.scores_by_group": Row(
        _plot(lambda a, **o: clr.pl.scores_by_group(a, **{"score": "score", "groupby": "batch"} | o)), "labels"
    ),
    "io.save": Row(_save, "records"),
}

ROWS |= {
    "tl.gene_attribution": Row(_attribute, "values names labels genes records"),
    "get.gene_attribution": Row(lambda a, **o: clr.get.gene_attribution(a, **o), "names records"),
    "pl.gene_attribution": Row(_plot(clr.pl.gene_attribution), "records"),
    "tl.map_query": Row(_map, "values names labels", "counts"),
    "tl.map_query (reference)": Row(_map_to, "embedding records"),
    "tl.contrastive_pseudotime": Row(_pseudotime, "names labels embedding"),
    "get.augmentation_preview": Row(_preview(clr.get.augmentation_preview), "values names genes"),
    "get.pseudotime_order": Row(lambda a, **o: clr.get.pseudotime_order(a, **{"stage": "stage"} | o), "labels records"),
    "pl.augmentation_preview": Row(_plot(_preview(clr.pl.augmentation_preview))),
    "pl.pseudotime_order": Row(
        _plot(lambda a, **o: clr.pl.pseudotime_order(a, **{"stage": "stage"} | o)), "labels records"
    ),
}
NOT_ON_AN_ANNDATA = {
    "io.load": "tests/io/test_hostile.py feeds it folders",
    "datasets.simulate_cells": "numbers in; its arguments are in ARGUMENTS",
    "datasets.simulate_covid_pbmc": "numbers in; its arguments are in ARGUMENTS",
    "datasets.wilk2020_covid": "a download; tests/datasets",
}


def make_counts() -> ad.AnnData:
    """Three groups of cells, two batches, four donors."""
    rng = np.random.default_rng(0)
    group = np.arange(N_CELLS) % 3
    rates = np.where(np.arange(N_GENES) // 5 == group[:, None], 5.0, 1.0)
    batch = np.arange(N_CELLS) // 3 % 2
    obs = pd.DataFrame(
        {
            "group": pd.Categorical([f"type{i}" for i in group]),
            "batch": [f"run{i}" for i in batch],
            "donor": pd.Categorical([f"donor{2 * b + i % 2}" for i, b in enumerate(batch)]),
            "score": rng.normal(size=N_CELLS),
            "stage": np.arange(N_CELLS) // 8,
        },
        index=[f"cell{i}" for i in range(N_CELLS)],
    )
    var = pd.DataFrame(index=[f"gene{i}" for i in range(N_GENES)])
    return ad.AnnData(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)), obs=obs, var=var)


def make_ready() -> ad.AnnData:
    """The same after every function of `pp` and `tl`."""
    adata = make_counts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a training of one step has learned nothing, as the calls rightly say
        _select(adata)
        _embed(adata)
        clr.tl.contrastive_cluster(adata)
        _repeat(adata)
        _pseudotime(adata)
        _attribute(adata)
    adata.obsm["X_umap"] = np.random.default_rng(0).normal(size=(N_CELLS, 2)).astype(np.float32)
    return adata
