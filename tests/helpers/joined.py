"""Samples that were embedded apart, or mapped onto one another, and what joining them leaves of their records."""

from __future__ import annotations

import warnings

import anndata as ad

import scclr_ext as clr

QUICK = {"n_steps": 2, "device": "cpu", "progress": False}


def train(adata: ad.AnnData, **options) -> ad.AnnData:
    """Embed a copy within two steps."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Do not trust this embedding")
        return clr.tl.contrastive_embed(adata, **QUICK | options, copy=True)


def embedded_apart(counts: ad.AnnData) -> tuple[ad.AnnData, ad.AnnData]:
    """Embed 80 and 60 cells, each told of the same batches, with the same genes, one for longer than the other."""
    clr.pp.contrastive_preprocess(counts, n_top_genes=60)
    return train(counts[:80], batch_key="batch"), train(counts[80:140], batch_key="batch", n_steps=3)


def joined(counts: ad.AnnData, how: str) -> ad.AnnData:
    """Join two samples that were embedded apart, and with them what `uns_merge` takes of their records."""
    return ad.concat(embedded_apart(counts), uns_merge=how)
