"""New cells onto a trained embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, writable
from scclr_ext._batches import batch_codes
from scclr_ext._checks import check_key_added, check_random_state, check_share, check_whole
from scclr_ext._docs import shared_docs
from scclr_ext._records import MAPPING, embedding_params, is_record
from scclr_ext._settings import report
from scclr_ext._values.feature_types import no_genes
from scclr_ext._values.stored import check_copy
from scclr_ext._warn import warn
from scclr_ext.io._get_model import get_model
from scclr_ext.io._reference import reference_of
from scclr_ext.tl._mapping.query import library_excess, read_query
from scclr_ext.tl._mapping.record import colors_of, columns_of, record_of
from scclr_ext.tl._mapping.shift import shift_batches
from scclr_ext.tl._mapping.transfer import assess

if TYPE_CHECKING:
    import os

    from anndata import AnnData

    from scclr_ext.io import Model, Reference

_LEAST_SHARE = 0.4
"""Donors, conditions and chemistries differ by less: 0.6 to 1.3 on the labelled sets."""
_MOST = 0.5
"""Where more of the query is novel, something is wrong with all of it."""


@shared_docs
def map_query(
    adata: AnnData,
    reference: Model | AnnData | str | os.PathLike[str],
    *,
    labels: str | None = None,
    layer: str | None = None,
    batch_key: str | None = None,
    check_values: bool = True,
    key: str = "clr",
    key_added: str | None = None,
    n_neighbors: int = 15,
    min_overlap: float = 0.3,
    novelty_quantile: float = 0.95,
    device: str = "auto",
    random_state: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Embed new cells with a trained model, label them as the reference is labelled, and mark those unlike any.

    The query is normalised as the reference was, its genes are found by name, and the reference's network embeds it;
    nothing is trained. Both sets of cells then share one space: concatenate them and draw one UMAP, or hand the
    embedding to :func:`scclr_ext.tl.contrastive_cluster`.

    Parameters
    ----------
    adata
        The query, cells by genes: raw counts, or log-normalised values, of all the genes that were measured (which
        is how large each cell's library was).
    reference
        Cells embedded by :func:`scclr_ext.tl.contrastive_embed`, or the folder in which
        :func:`scclr_ext.io.save` kept their model, or what :func:`scclr_ext.io.load` read from it.
    labels
        Column of the reference's `obs` to transfer. Of a folder or a model that was saved with labelled cells, these
        are used; one saved without can only embed.
    {layer}
    batch_key
        Column of the query's `obs` with its batches, which the reference need not know. Each is then moved as a
        whole onto the reference (see Notes); a column of one value moves the whole query. Without, every cell is
        mapped by itself, whatever comes with it.
    {check_values}
    key
        Where in `uns` a reference AnnData keeps its model.
    key_added
        None writes `obsm["X_clr"]`, or wherever the reference has its embedding, and the columns `clr_label` and so
        on; `"foo"` writes `obsm["foo"]`, `obs["foo_label"]`, ...
    n_neighbors
        Reference cells that vote on a label.
    min_overlap
        Smallest share of the model's genes that the query must have.
    novelty_quantile
        Share of the reference's own cells, each held out in turn, that would not be called novel.
    {device}
    random_state
        Seed for the choice of 10 000 reference cells to hold out, where there are more, and for what is approximate
        with very many cells.
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `obsm["X_clr"]`
        The embedding, float32 of shape `(n_cells, n_dimensions)`.
    `obs["clr_label"]`
        The most probable label: a categorical with the reference's categories (and colours).
    `obs["clr_confidence"]`
        The probability that it is right, for a cell of a type that the reference has.
    `obs["clr_novelty"]`
        How far the cell is from the reference, as a multiple of what held-out reference cells reach
        (`novelty_quantile` of them are below 1).
    `obs["clr_novel"]`
        Whether that is above 1: the label then means little.
    `uns["clr_mapping"]`
        The parameters; the genes that were missing; how many held-out reference cells got their own label back.

    The columns need reference cells (or, for the label and the confidence, labelled ones). A cell without a count in
    any of the model's genes has no label and no novelty (both missing), the confidence 0, and is novel.

    Raises
    ------
    KeyError
        Where `layer`, `batch_key`, `labels`, the reference's `uns[key]` or its embedding is missing.
    ValueError
        Where the query has fewer of the model's genes than `min_overlap`, its values are scaled, NaN or infinite,
        shares of a library without a logarithm, or logarithms of counts that were not normalised or to another base, or
        its library size cannot be brought to the reference's; the query has an embedding of its own where the mapping
        would go; the reference's embedding is not that of its record; `batch_key` leaves most cells alone or is a
        measurement; or an option is out of range.
    TypeError
        Where `adata` is no AnnData, its values are not numbers, or `reference` is nothing that it may be.
    ModelError
        Where the reference holds no usable model, or is made of samples that were embedded apart, and joined.
    FileNotFoundError
        Where there is no such folder.

    Warns
    -----
    UserWarning
        Where most cells are novel: the query as a whole lies apart from the reference. Or where the library size of a
        log-normalised query cannot be told, while that of the reference is known. Or where the model's genes hold a
        far larger or smaller share of a cell's library than in the reference, or `var["feature_types"]` has others
        beside `"Gene Expression"`. Or where the reference's batches are gone, of which its embedding was told.

    Notes
    -----
    A gene that the query lacks is masked as in the training: zero, after standardising where the method does.

    A batch is moved by one step: the median difference between its cells and their mutual nearest neighbours in the
    reference, in the embedding, found anew five times. It helps where the query comes from another condition or
    protocol, and costs a little where it does not; the documentation has figures.

    Neighbours are those at the smallest angle, seen from the centre of the reference. A label's share among them
    (weighted by a bell curve of the distance) becomes a probability through two numbers, fitted so that the labels
    of held-out reference cells are as likely as can be. Where the model was trained with a `batch_key`, a held-out
    cell's neighbours come from other batches, as those of a query do, unless seven eighths of the cells are of one.

    A cell's novelty is its mean distance to its neighbours over the mean distance of those to theirs, so that cells
    of dense and of scattered types compare. A type that the reference lacks but resembles (one T cell subset among
    others) is rarely told apart: see the documentation for figures.

    Up to five billion pairs of a query's and a reference's cell all are compared. With more, a cell is compared with
    those in the parts of the reference around it, and of the reference a sample says how dense its cells lie.

    Examples
    --------
    >>> import scanpy as sc, scclr_ext as clr
    >>> pbmc = sc.datasets.pbmc68k_reduced().raw.to_adata()
    >>> reference, query = pbmc[:500].copy(), pbmc[500:].copy()
    >>> clr.tl.contrastive_embed(reference, "scclr", n_steps=60, progress=False, device="cpu")
    >>> clr.tl.map_query(query, reference, labels="bulk_labels", device="cpu")
    >>> bool((query.obs["clr_label"].astype(str) == query.obs["bulk_labels"].astype(str)).mean() > 0.7)
    True
    """
    check_adata(adata)
    check_copy(adata, copy=copy)
    check_key_added(key_added, or_none=True)
    random_state = check_random_state(random_state)
    _check_options(n_neighbors, min_overlap, novelty_quantile)
    model = get_model(reference, key)
    keys = _keys.mapping_keys(key_added, str(model.training["params"].get("obsm_key", _keys.EMBEDDING_OBSM)))
    _check_no_own_embedding(adata, keys.obsm)
    cells = _reference_cells(model, reference, key, labels)
    batches = _query_batches(adata, batch_key, cells)
    if (odd := no_genes(adata, "query")) is not None:
        warn(odd)
    query = read_query(adata, model, layer=layer, min_overlap=min_overlap, check_values=check_values)
    if query.doubtful:
        warn(
            "The library size of the query's cells cannot be told from its logarithms (genes were left out, perhaps): "
            f"they are taken as they are, while the reference was brought to {model.preprocess['target_sum']:g} per "
            "cell. Give raw counts, or log-normalised values of all genes that were measured."
        )
    excess = library_excess(query, model)
    if excess and not _LEAST_SHARE < excess < 1 / _LEAST_SHARE:
        warn(
            f"The model's genes hold {excess:.2g} times the share of a cell's library that they hold in the "
            "reference: one of the two was cut to fewer genes before its counts were normalised, perhaps, and their "
            "values do not compare. Give both with all the genes that were measured."
        )
    rep = model.trained.embed(query.matrix, places=query.places, device=device)
    found = None
    n_pairs: list[int] = []
    if cells is not None:
        rng = np.random.default_rng(random_state)
        if batches is not None:
            rep, n_pairs = shift_batches(cells.embedding, rep, batches, n_neighbors, rng)
        found = assess(cells, rep, n_neighbors=n_neighbors, quantile=novelty_quantile, rng=rng).without(query.empty)
        _warn_if_apart(found.novelty)

    columns = columns_of(found, cells, keys)
    colors = colors_of(reference, cells)
    record = record_of(
        model,
        query,
        found,
        obsm_key=keys.obsm,
        labels=cells.column if cells else "",
        layer=layer or "X",
        batch_key=batch_key or "",
        n_pairs=np.array(n_pairs, dtype=np.int64),
        n_neighbors=n_neighbors,
        min_overlap=min_overlap,
        novelty_quantile=novelty_quantile,
        random_state=random_state,
    )
    stale = set()
    if is_record(adata.uns.get(keys.uns), MAPPING):  # an earlier one, whose columns are not of this embedding
        stale = {keys.label, keys.confidence, keys.novelty, keys.novel} & set(adata.obs) - set(columns)
    target = writable(adata, copy=copy)
    target.obsm[keys.obsm] = rep
    for name, values in columns.items():
        target.obs[name] = values
    target.uns.pop(f"{keys.label}_colors", None)  # of other labels, perhaps
    if colors is not None:
        target.uns[f"{keys.label}_colors"] = colors
    for name in stale:
        del target.obs[name]
    target.uns[keys.uns] = record
    report(
        f"{len(query.places)} of the model's {len(model.genes)} genes were found; added obsm[{keys.obsm!r}]"
        + "".join(f", obs[{name!r}]" for name in columns)
        + (f"; {float(found.novel.mean()):.1%} of the cells are unlike the reference" if found else "")
    )
    return target if copy else None


def _check_options(n_neighbors: int, min_overlap: float, novelty_quantile: float) -> None:
    check_whole(1, n_neighbors=n_neighbors)
    check_share(min_overlap=min_overlap, novelty_quantile=novelty_quantile)
    if novelty_quantile == 0:
        msg = f"`novelty_quantile` must be above 0; found {novelty_quantile!r}."
        raise ValueError(msg)


def _check_no_own_embedding(adata: AnnData, obsm_key: str) -> None:
    """Refuse to put the mapping where a network of the query's own has its embedding: its record would then lie."""
    for name, record in adata.uns.items():
        if embedding_params(record).get("obsm_key") == obsm_key:
            msg = (
                f"The query has an embedding of its own in adata.obsm[{obsm_key!r}], whose record is in "
                f"adata.uns[{name!r}] and would no longer fit it; give another name as `key_added`."
            )
            raise ValueError(msg)


def _reference_cells(model: Model, reference: Any, key: str, labels: str | None) -> Reference | None:
    if hasattr(reference, "uns"):
        return reference_of(reference, key, labels, model)
    cells = model.reference
    if labels is not None and (cells is None or cells.column != labels):
        there = "no labelled cells" if cells is None else f"cells labelled by {cells.column!r}"
        msg = (
            f"`labels={labels!r}` is not available: the model was saved with {there}. Save it again with "
            f"scclr_ext.io.save(adata, folder, labels={labels!r}), or give the reference AnnData."
        )
        raise KeyError(msg)
    return cells


def _query_batches(adata: AnnData, batch_key: str | None, cells: Reference | None) -> np.ndarray | None:
    if batch_key is not None and cells is None:
        msg = f"`batch_key={batch_key!r}` needs reference cells to move the batches to; the model was saved without."
        raise ValueError(msg)
    return None if batch_key is None else batch_codes(adata, batch_key)


def _warn_if_apart(novelty: np.ndarray) -> None:
    if (share := float((novelty > 1).mean())) > _MOST:
        warn(
            f"{share:.0%} of the query's cells are farther from the reference than its own cells are: another "
            "tissue, condition or protocol, or values in other units. Do not trust labels and confidence."
        )
