"""The main job, start to end, with its figures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anndata
import scanpy as sc

import scclr_ext
from scclr_ext import _keys
from scclr_ext.cli import analyse, read

if TYPE_CHECKING:
    import argparse

    from anndata import AnnData

_DPI = 150


def demo(args: argparse.Namespace, *, first: bool = True) -> None:
    """Embed, cluster and draw real cells; write the results and say where they are.

    Of several processes only the `first` one does more than share the training.
    """
    started = time.perf_counter()
    adata = _pbmc() if args.input is None else read(args.input)
    analyse(adata, args, cluster=first)
    if not first:
        return
    sc.tl.umap(adata, random_state=args.random_state)
    seconds = time.perf_counter() - started

    keys = _keys.embedding_keys(args.key_added)
    data = args.out / "embedded.h5ad"
    adata.write_h5ad(data)
    clusters_key = _keys.clusters_key(args.key_added)
    colors = [clusters_key, *(key for key in ("bulk_labels", args.batch_key) if key in adata.obs)]
    figures = {
        "embedding_qc.png": scclr_ext.pl.embedding_qc(adata, key=keys.uns, cluster_key=clusters_key, return_fig=True),
        "umap.png": sc.pl.umap(adata, color=colors, frameon=False, wspace=0.35, show=False, return_fig=True),
    }
    if "sweep" in adata.uns[clusters_key]:
        figures["resolution_sweep.png"] = scclr_ext.pl.resolution_sweep(adata, key=clusters_key, return_fig=True)
    for name, figure in figures.items():
        figure.savefig(args.out / name, dpi=_DPI, bbox_inches="tight")
    files = [data, *(args.out / name for name in figures)]

    record = adata.uns[keys.uns]["params"]
    clusters = adata.obs[clusters_key].cat.categories
    print(
        f"\ncells          {adata.n_obs}\n"
        f"genes used     {record['n_genes']} of {adata.n_vars}\n"
        f"clusters       {len(clusters)}\n"
        f"seconds        {seconds:.1f}\n"
        f"files          {', '.join(map(str, files))}"
    )


def _pbmc() -> AnnData:
    """700 blood cells that ship with scanpy; their `.raw` is log-normalised."""
    reduced = sc.datasets.pbmc68k_reduced()
    # Values and annotation only: its own PCA, graph and UMAP would be mistaken for ours.
    return anndata.AnnData(reduced.raw.X, obs=reduced.obs[["bulk_labels"]].copy(), var=reduced.raw.var[[]].copy())
