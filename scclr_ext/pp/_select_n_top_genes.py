"""How many genes a model should see."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, check_unique, frame, writable
from scclr_ext._batches import batch_codes
from scclr_ext._checks import check_random_state, check_whole, is_whole
from scclr_ext._docs import shared_docs
from scclr_ext._settings import report, settings
from scclr_ext._values.check_logarithms import check_logarithms
from scclr_ext._values.logarithms import some_cells
from scclr_ext._values.matrix import get_matrix, name_of, to_memory
from scclr_ext._values.stored import StoredRows, check_copy, is_stored
from scclr_ext._values.units import check_not_scaled, guess_units
from scclr_ext._warn import warn
from scclr_ext.engine.methods import METHODS, resolve
from scclr_ext.pp._gather import normalize
from scclr_ext.pp._genes import select_genes
from scclr_ext.pp._held_out_genes import held_out_scores
from scclr_ext.pp._prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

_FEWEST_CELLS, _FEWEST_GENES = 10, 4


@shared_docs
def select_n_top_genes(
    adata: AnnData,
    method: str = "clear",
    *,
    candidates: Sequence[int] = (500, 1000, 1500, 2000, 3000, 4000, 5000),
    tolerance: float = 0.05,
    n_neighbors: int = 15,
    n_splits: int = 2,
    max_cells: int = 2000,
    layer: str | None = None,
    batch_key: str | None = None,
    mask_genes: str | NDArray[np.bool_] | None = None,
    check_values: bool = True,
    random_state: int = 0,
    progress: bool | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Preprocess with a number of genes that is chosen without labels.

    Too few genes do not tell all cell types apart, too many bring noise. A number is judged by genes that had no say:
    the genes are split into two random halves, the best of one half (half the number) place the cells in a PCA, and
    Moran's I of genes of the other half tells how alike nearest neighbours are in them. Of the numbers that are nearly
    as good as the best one, the one nearest to the method's usual number is taken: it is given up only where it costs
    something. This takes seconds, since no model is trained.

    Parameters
    ----------
    {adata}
    method
        Whose recipe to follow, as in :func:`scclr_ext.pp.contrastive_preprocess`, which is run with the number chosen.
        Its usual number is 2 000 for `"clear"` and `"scclr"`, 500 for `"contrastive-sc"`.
    candidates
        Numbers of genes to try. Those above the number of genes that can be chosen count as that number.
    tolerance
        Numbers whose Moran's I is at most this share below the best count as good as the best. 0 takes the best.
    n_neighbors
        Neighbours of a cell.
    n_splits
        Random splits of the genes; each is used both ways.
    max_cells
        Look at this many cells at most, drawn at random.
    {layer}
    {batch_key}
        Genes are then ranked within batches.
    mask_genes
        Genes that may be chosen: a boolean column of `var`, or a boolean array of one entry per gene.
    {check_values}
    {random_state}
    {progress}
    {copy}

    Returns
    -------
    None, or the changed copy. Written is all that :func:`scclr_ext.pp.contrastive_preprocess` writes, and

    `uns["clr_n_top_genes"]`
        The choice (`n_top_genes`), `candidates` and their `morans_i`, `spread` (its standard deviation over the
        splits, less what all numbers share), and the options. :func:`scclr_ext.pl.n_top_genes` draws it.

    Raises
    ------
    KeyError
        Where `layer`, `batch_key` or the column `mask_genes` is missing.
    ValueError
        Where an option is out of range, there are fewer than ten cells or four genes to choose from, or
        :func:`scclr_ext.pp.contrastive_preprocess` refuses the values or the batches.
    TypeError
        Where `adata` is no AnnData, or its values are not numbers.

    Warns
    -----
    UserWarning
        Of what :func:`scclr_ext.pp.contrastive_preprocess` warns of.

    Notes
    -----
    Moran's I is pooled over the genes looked at, standardised and clipped at 10: the share of their variance that a
    cell has in common with its nearest neighbours. They are the best genes of their half, as many as the largest
    candidate gives it, and the same for all candidates.

    On six real labelled sets the default keeps 2 000 genes, and taking the highest Moran's I instead did no better;
    500 genes, the usual number of contrastive-sc, are rightly given up on four (:doc:`/benchmarks`). Without labels
    more can hardly be had: around 2 000 genes the curve is flat.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32")
    >>> adata = ad.AnnData(counts)
    >>> clr.pp.select_n_top_genes(adata, candidates=(10, 20, 30))
    >>> int(adata.var["highly_variable"].sum()) == adata.uns["clr_n_top_genes"]["n_top_genes"]
    True
    """
    check_adata(adata)
    random_state = check_random_state(random_state)
    tried = _check_options(
        candidates, tolerance=tolerance, n_neighbors=n_neighbors, n_splits=n_splits, max_cells=max_cells
    )
    recipe = METHODS[resolve(method).method].recipe
    check_copy(adata, copy=copy)
    check_unique(adata)
    values, cells = _sample(adata, layer, max_cells, random_state)
    units = guess_units(values)
    where = name_of(layer)
    if units == "log-normalized" and check_values:
        check_logarithms(adata, some_cells(values, where), layer=layer, where=where)
    check_not_scaled(units, where)
    codes = None
    if batch_key is not None:
        codes = np.unique(batch_codes(adata, batch_key)[cells], return_inverse=True)[1]
    moments = normalize(values, codes, recipe.target_sum, units=units).moments
    var = frame(adata.var)
    # A number that no data set reaches marks all genes that can be chosen at all.
    eligible = select_genes(moments, var, len(var), mask_genes=mask_genes)[_keys.HIGHLY_VARIABLE_VAR].to_numpy(bool)
    if eligible.sum() < _FEWEST_GENES:
        msg = (
            f"adata has {eligible.sum()} genes that can be chosen; at least {_FEWEST_GENES} are needed to try "
            "numbers of them."
        )
        raise ValueError(msg)
    tried = np.unique(np.minimum(tried, eligible.sum()))

    def choose(among: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        mask = np.zeros(len(var), dtype=bool)
        mask[among] = eligible[among]
        return np.flatnonzero(select_genes(moments, var, number, mask_genes=mask)[_keys.HIGHLY_VARIABLE_VAR])

    scores = held_out_scores(
        values,
        tried.tolist(),
        choose,
        genes=np.flatnonzero(eligible),
        n_splits=n_splits,
        n_neighbors=n_neighbors,
        random_state=random_state,
    )
    mean = scores.mean(axis=0)
    good = tried[mean >= mean.max() - tolerance * abs(mean.max())]
    chosen = int(good[np.argmin(np.abs(np.log(good / recipe.n_top_genes)))])

    prepared = prepare(
        adata,
        method,
        n_top_genes=chosen,
        layer=layer,
        batch_key=batch_key,
        mask_genes=mask_genes,
        check_values=check_values,
        progress=settings.shows(progress),
    )
    record = {
        "n_top_genes": chosen,
        "candidates": tried,
        "morans_i": mean,
        "spread": (scores - scores.mean(axis=1, keepdims=True)).std(axis=0),
        "tolerance": float(tolerance),
        "n_neighbors": int(n_neighbors),
        "n_splits": int(n_splits),
        "n_cells": len(cells),
        "random_state": random_state,
    }
    for text in prepared.warnings:
        warn(text)
    target = writable(adata, copy=copy)
    prepared.write(target)
    target.uns[_keys.N_TOP_GENES_UNS] = record
    report(prepared.message)
    report(f"chose {chosen} genes; see uns[{_keys.N_TOP_GENES_UNS!r}]")
    return target if copy else None


def _check_options(
    candidates: Sequence[int], *, tolerance: float, n_neighbors: int, n_splits: int, max_cells: int
) -> NDArray[np.int64]:
    """Return the candidates as an array, ascending."""
    tried = [] if is_whole(candidates) else list(candidates)
    if not tried or not all(is_whole(n) and n >= 2 for n in tried):
        msg = f"`candidates` must be whole numbers of at least 2; found {candidates!r}."
        raise ValueError(msg)
    if not isinstance(tolerance, Real) or not 0 <= float(tolerance) < 1:
        msg = f"`tolerance` must be a number of at least 0 and below 1; found {tolerance!r}."
        raise ValueError(msg)
    check_whole(1, n_neighbors=n_neighbors, n_splits=n_splits)
    check_whole(_FEWEST_CELLS, max_cells=max_cells)
    return np.unique(np.array(tried, dtype=np.int64))


def _sample(
    adata: AnnData, layer: str | None, max_cells: int, random_state: int
) -> tuple[np.ndarray | sparse.csr_matrix | sparse.csr_array, NDArray[np.int64]]:
    """Return the values of some cells as a copy in memory, and which cells they are."""
    matrix = get_matrix(adata, layer)
    where = name_of(layer)
    if adata.n_obs < _FEWEST_CELLS:
        msg = f"adata has {adata.n_obs} cells; at least {_FEWEST_CELLS} are needed to try numbers of genes."
        raise ValueError(msg)
    cells = np.arange(adata.n_obs)
    if adata.n_obs > max_cells:
        cells = np.sort(np.random.default_rng(random_state).choice(adata.n_obs, max_cells, replace=False))
    if is_stored(matrix):
        return StoredRows(matrix, where=where).read(cells), cells
    if not hasattr(matrix, "to_memory"):  # as columns in a file have, which are read whole
        return to_memory(matrix[cells], where=where), cells
    return to_memory(matrix, where=where)[cells], cells
