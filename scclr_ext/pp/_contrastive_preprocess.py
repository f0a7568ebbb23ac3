"""Counts to model-ready data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scclr_ext._anndata import check_adata, writable
from scclr_ext._docs import shared_docs
from scclr_ext._settings import report, settings
from scclr_ext._values.stored import check_copy
from scclr_ext._warn import warn
from scclr_ext.pp._prepare import prepare

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray


@shared_docs
def contrastive_preprocess(
    adata: AnnData,
    method: str = "clear",
    *,
    n_top_genes: int | None = None,
    layer: str | None = None,
    batch_key: str | None = None,
    mask_genes: str | NDArray[np.bool_] | None = None,
    subset: bool = False,
    defer: bool = False,
    check_values: bool = True,
    progress: bool | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Normalise counts, log-transform them and choose the genes a model will see.

    `X` becomes log-normalised for all genes and stays sparse, so that `sc.tl.rank_genes_groups`,
    `sc.tl.score_genes` and plots work afterwards. Centring and scaling of the model's genes is left to
    :func:`scclr_ext.tl.contrastive_embed`, which does it a minibatch at a time: no dense copy of the data is made.

    Data that are not in memory (backed by a file, a zarr store, dask) are read once, in blocks, and `X` stays as it
    is: a cell's library size is written down, and its values are normalised whenever they are read. See
    :doc:`/large`.

    Parameters
    ----------
    {adata}
    method
        Whose recipe to follow. `"clear"` and `"scclr"`: 10 000 counts per cell, 2 000 genes. `"contrastive-sc"`: the
        median library size, 500 genes. All take the natural logarithm of one plus the value, and the genes with the
        highest normalised dispersion (scanpy's `flavor="seurat"`).
    n_top_genes
        Number of genes to choose; None takes the recipe's.
    {layer}
    {batch_key}
        Genes are then ranked within each batch, so that those which merely tell batches apart do not win.
    mask_genes
        Genes that may be chosen: a boolean column of `var`, or a boolean array of one entry per gene. Use it to keep
        mitochondrial or ribosomal genes out of the model.
    subset
        Keep only the chosen genes in `adata`; for data in memory.
    defer
        Leave `X` as it is also where it is in memory, as is done for data that are not: with counts beside the
        normalised values a large data set needs twice the memory.
    {check_values}
    {progress}
    {copy}

    Returns
    -------
    None, or the changed copy. Written are

    `X`
        Log-normalised values of all genes, float32.
    `layers["counts"]`
        The counts `X` was made from (`layers["linear"]` for unlogged values that are not counts, such as RPKM).
    `obs["clr_library_size"]`
        Instead of both, for data that are not in memory and with `defer`: the sum of each cell.
    `var["highly_variable"]`, `var["means"]`, `var["dispersions"]`, `var["dispersions_norm"]`
        The choice of genes; genes found in fewer than two cells, or the same in all, are never chosen.
    `uns["clr_preprocess"]`
        What was done (`deferred`: whether counts were left as they are), and `uns["log1p"]`, which tells scanpy that
        the values are logarithms.

    Raises
    ------
    KeyError
        Where `layer`, `batch_key` or the column `mask_genes` is missing.
    ValueError
        Where `method` is unknown, `n_top_genes` below 1, the values are scaled (negative), NaN or infinite, shares of a
        library without a logarithm, logarithms of counts that were not normalised or to another base, or logarithms of
        some cells and counts of others, gene names occur twice, no gene can be chosen, `batch_key` leaves most cells
        alone or is a measurement, the layer that keeps the counts holds other values, no layer keeps the counts in `X`
        over which those of `layer` would be written, data in a file are to be copied or subset, or `subset` and `defer`
        are both asked for.
    TypeError
        Where `adata` is no AnnData, or its values are not numbers.

    Warns
    -----
    UserWarning
        Where more than a tenth of the chosen genes have no count in one of the batches, as after joining samples in
        which different genes were measured with `join="outer"`; where logarithms are of samples that were brought to
        library sizes of their own; and where `var["feature_types"]` has others beside `"Gene Expression"`.

    Notes
    -----
    Values that are log-normalised already are recognised (no whole numbers, none above 30): they are neither
    normalised nor logged again, and what `uns["log1p"]` says of them stays. They have to be natural logarithms of
    cells that were brought to one library size, which a sample of them shows unless genes were left out since; what
    is scaled without centring, a square root or a share of the library shows as well. Unlogged values such as RPKM
    or TPM are treated as counts are.

    Recipes follow Ciortan & Defrance (2021), Methods, and Han et al. (2022) with scanpy's usual order of steps: the
    CLEAR authors' program takes the logarithm before it normalises.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32")
    >>> adata = ad.AnnData(counts)
    >>> clr.pp.contrastive_preprocess(adata, n_top_genes=10)
    >>> int(adata.var["highly_variable"].sum()), "counts" in adata.layers
    (10, True)
    """
    check_adata(adata)
    check_copy(adata, copy=copy)
    prepared = prepare(
        adata,
        method,
        n_top_genes=n_top_genes,
        layer=layer,
        batch_key=batch_key,
        mask_genes=mask_genes,
        subset=subset,
        defer=defer,
        check_values=check_values,
        progress=settings.shows(progress),
    )
    for text in prepared.warnings:
        warn(text)
    target = writable(adata, copy=copy)
    prepared.write(target)
    report(prepared.message)
    return target if copy else None
