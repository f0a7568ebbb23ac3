"""Which genes drive an embedding, or hold a cluster together in it."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import scclr_ext
from scclr_ext import _keys
from scclr_ext._anndata import check_adata, writable
from scclr_ext._batches import batch_codes
from scclr_ext._categories import labels_of
from scclr_ext._checks import check_key_added, check_random_state, check_whole
from scclr_ext._docs import shared_docs
from scclr_ext._records import ATTRIBUTION, check_free
from scclr_ext._settings import report, settings
from scclr_ext._stale import noted_training
from scclr_ext._values.stored import check_copy
from scclr_ext._warn import warn
from scclr_ext.tl._attribution.contrasts import Contrast, contrasts
from scclr_ext.tl._attribution.inputs import read_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

_LARGEST_ERROR = 0.05
_ALL = "all cells"


@shared_docs
def gene_attribution(
    adata: AnnData,
    groupby: str | None = None,
    *,
    groups: str | Sequence[str] | None = None,
    reference: str = "rest",
    batch_key: str | None = None,
    key: str = _keys.EMBEDDING_UNS,
    n_steps: int = 32,
    max_cells: int = 1000,
    key_added: str = _keys.ATTRIBUTION,
    device: str = "auto",
    random_state: int = 0,
    progress: bool | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Find the genes that drive the embedding, or that set a group of cells apart in it.

    `sc.tl.rank_genes_groups` says which genes differ between groups. This says which genes the trained network goes
    by when it puts a group where it is: a gene may differ and be ignored, or differ little and matter much.
    Each gene of the model is given its share of the way that cells move through the embedding when their expression
    goes from that of an average reference cell to their own (integrated gradients, Sundararajan et al. 2017).

    Parameters
    ----------
    {adata}
        Embedded by :func:`scclr_ext.tl.contrastive_embed`, which left the trained network in `uns[key]`; its values
        are those that the network was trained on.
    groupby
        Column of `obs` with clusters, cell types, ... For each group the genes are found that move its cells along
        the line from the mean embedding of the reference to that of the group. None: the genes that move all cells
        away from the average cell, in whichever direction.
    groups
        Look at these groups only.
    reference
        `"rest"`: all cells outside the group. Or a group, to which the others are compared.
    batch_key
        Column of `obs` with batches. Each cell is then compared with the reference cells of its own batch, and what
        merely tells batches apart gets no share. A batch without reference cells is compared with all of them.
    key
        Name of the record in `uns` that holds the network: what `contrastive_embed` was told in `key_added`.
    n_steps
        Points on the line between the reference and a cell, at which the network is looked at. More is more exact
        and takes longer in proportion; the error is recorded.
    max_cells
        Look at no more than this many random cells of each group.
    key_added
        Key of `varm` and `uns` to write.
    {device}
    random_state
        Seed of the choice of cells, where a group has more than `max_cells`.
    {progress}
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `varm["clr_attribution"]`
        Contribution of each gene to each group, float32 of shape `(n_genes, n_groups)`, the mean over the group's
        cells in units of the embedding. Positive: the gene's difference from the reference moves cells towards the
        group. 0 for genes that the network does not see.
    `varm["clr_attribution_difference"]`
        Mean expression (log-normalised) in the group minus that of the reference cells it was compared with, same
        shape; 0 without groups. A gene can move cells towards a group by being absent from it.
    `uns["clr_attribution"]`
        Parameters, the names of the groups (`"groups"`, in the order of the columns), and for each group the number
        of cells looked at (`"n_cells"`), how far they move (`"total"`, to which the contributions sum) and the share
        by which the sum is off (`"error"`). :func:`scclr_ext.pl.gene_attribution` draws it.

    Raises
    ------
    KeyError
        Where `uns[key]`, `groupby`, `batch_key`, a group or a gene of the network is missing.
    ModelError
        Where `uns[key]` holds no network, because it was made with `keep_weights=False`, is damaged, or is what is
        left of the records of several embeddings that were joined.
    ValueError
        Where gene names occur twice, there is only one group or no `groupby` for `groups`, `groupby` names no cell,
        `batch_key` leaves most cells alone or is a measurement, an option is out of range, the values are not what the
        network was trained on (raw counts, scaled, NaN), or `uns[key_added]` is another kind of record, which would be
        lost.
    TypeError
        Where `adata` is no AnnData, or its values are not numbers.

    Warns
    -----
    UserWarning
        Where the contributions miss the change they should sum to by more than 5 %.

    See Also
    --------
    scclr_ext.pl.gene_attribution : the figure, beside `rank_genes_groups`.

    Notes
    -----
    For a group, the output whose change is shared out is the projection of a cell's embedding on the unit vector from
    the mean embedding of the reference to that of the group. Without groups it is the distance between the
    embeddings of a cell and of the average cell. Time grows with the number of cells looked at times `n_steps`,
    memory with the cells looked at, whose values are read at once.

    Contributions explain the network, not the biology: of genes that always go together, the network may use one and
    leave the others without a share, and another seed may choose another one.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> rates = np.where(np.arange(40) // 20 == np.arange(60)[:, None] // 30, 4.0, 0.5)
    >>> adata = ad.AnnData(rng.poisson(rates).astype("float32"), obs={"type": ["a"] * 30 + ["b"] * 30})
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.contrastive_embed(adata, "scclr", n_steps=60, progress=False, device="cpu")
    >>> clr.tl.gene_attribution(adata, "type", progress=False)
    >>> bool(adata.varm["clr_attribution"].sum(axis=0).min() > 0)
    True
    """
    check_adata(adata)
    check_copy(adata, copy=copy)
    check_key_added(key_added)
    check_free(adata, key_added, ATTRIBUTION)
    random_state = check_random_state(random_state)
    check_whole(1, n_steps=n_steps, max_cells=max_cells)
    if groupby is None and (groups is not None or reference != "rest"):
        msg = "`groups` and `reference` go with `groupby`, the column of adata.obs with the groups; name it."
        raise ValueError(msg)
    labels = _labels(adata, groupby)
    wanted = contrasts(labels, groups, reference)
    batches = _batches(adata, batch_key)

    started = time.perf_counter()
    cells = read_cells(
        adata, key, labels, wanted, batches, max_cells=max_cells, device=device, random_state=random_state
    )
    show = settings.shows(progress)
    found = []
    for contrast in tqdm(wanted, desc="Attribution", unit="group", disable=not show, leave=False):
        found.append(cells.attribute(contrast, n_steps))
    attribution = _per_gene(adata, cells.genes, [share for share, _, _ in found])
    difference = _per_gene(adata, cells.genes, [change for _, change, _ in found])
    results = [result for _, _, result in found]
    error = np.array([result.error for result in results])

    _warn_of_error(wanted, error)
    record: dict[str, Any] = {
        "params": {
            "groupby": groupby or "",
            "reference": reference if groupby is not None else "",
            "batch_key": batch_key or "",
            "key": key,
            "n_steps": int(n_steps),
            "max_cells": int(max_cells),
            "difference_key": f"{key_added}_difference",
            **noted_training(adata, key),
        },
        "random_state": random_state,
        "versions": {"scclr_ext": scclr_ext.__version__, "torch": version("torch")},
        "groups": np.array([contrast.name for contrast in wanted]),
        "n_cells": np.array([len(cells.of(contrast)) for contrast in wanted], dtype=np.int64),
        "total": np.array([result.total for result in results]),
        "error": error,
        "genes": cells.genes,
        "seconds": time.perf_counter() - started,
    }
    target = writable(adata, copy=copy)
    target.varm[key_added] = attribution
    target.varm[f"{key_added}_difference"] = difference
    target.uns[key_added] = record
    report(
        f"added varm[{key_added!r}], the contributions of {len(cells.genes)} genes to {len(wanted)} groups (they sum "
        f"to the change in the embedding but for {error.max():.1%}), and uns[{key_added!r}]"
    )
    return target if copy else None


def _per_gene(adata: AnnData, genes: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    table = np.zeros((adata.n_vars, len(columns)), dtype=np.float32)
    table[adata.var_names.get_indexer(genes)] = np.column_stack(columns)
    return table


def _labels(adata: AnnData, groupby: str | None) -> pd.Categorical:
    if groupby is None:
        return pd.Categorical.from_codes(np.zeros(adata.n_obs, dtype=np.int8), [_ALL])
    labels = labels_of(adata, groupby, "groupby")
    if len(labels.categories) < 2:
        msg = (
            f"`groupby={groupby!r}` names {len(labels.categories)} group; give a column with two or more, or leave "
            "`groupby` out to look at all cells together."
        )
        raise ValueError(msg)
    return labels


def _batches(adata: AnnData, batch_key: str | None) -> np.ndarray:
    return np.zeros(adata.n_obs, dtype=np.int64) if batch_key is None else batch_codes(adata, batch_key)


def _warn_of_error(wanted: list[Contrast], error: np.ndarray) -> None:
    worst = int(error.argmax())
    if error[worst] > _LARGEST_ERROR:
        warn(
            f"The contributions to {wanted[worst].name!r} miss the change they should sum to by {error[worst]:.0%}; "
            "raise `n_steps`."
        )
