"""From an embedding and a first cell to an order of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scclr_ext._anndata import check_adata, get_rep, writable
from scclr_ext._checks import check_key_added, check_random_state, check_whole
from scclr_ext._docs import shared_docs
from scclr_ext._keys import PSEUDOTIME_OBS, uns_key_of
from scclr_ext._records import PSEUDOTIME, check_free, is_record
from scclr_ext._settings import report, settings
from scclr_ext._stale import noted_training, warn_of_other_cells
from scclr_ext._values.stored import check_copy
from scclr_ext._warn import warn
from scclr_ext.tl._pseudotime.order_cells import FEWEST_CELLS, order_cells
from scclr_ext.tl._pseudotime.root import find_root

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy import sparse

_DOUBTFUL = 0.5


@shared_docs
def contrastive_pseudotime(
    adata: AnnData,
    root: str | int,
    *,
    groupby: str | None = None,
    use_rep: str = "X_clr",
    n_neighbors: int = 15,
    join: bool = True,
    keep_graph: bool = False,
    key_added: str = PSEUDOTIME_OBS,
    random_state: int = 0,
    progress: bool | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Order the cells of an embedding in time, from a root on: a diffusion pseudotime that many graphs agree on.

    Diffusion pseudotime (Haghverdi et al. 2016; `sc.tl.dpt`) measures how far apart two cells are along a neighbour
    graph. In a small or patchy data set it depends on the graph more than on the data: with few neighbours the graph
    falls to pieces, with many it takes short cuts, and in between the answer changes with both. So this function makes
    ten graphs, joins the pieces of each, and takes the order that most of them agree on. How far they agree is a
    figure to look at: it needs no labels and falls where the embedding does not hold an order.

    Parameters
    ----------
    {adata}
    root
        Where the time starts: the name or the number of a cell; with `groupby` a category, such as a stage or a
        cluster, whose most central cell is taken.
    groupby
        Column of `obs` in which `root` is looked up.
    use_rep
        Key in `obsm` of the embedding (`"X_pca"` works as well).
    n_neighbors
        Neighbours of each cell. Graphs are made with a third to twice as many, in five steps, and never more than a
        third of the cells.
    join
        Order all cells, across gaps if need be. False orders each piece of the neighbour graph by itself, starting
        from its cell nearest to the root: for data of several kinds of cells that do not become one another.
    keep_graph
        Also write the graph with `n_neighbors`, in one piece (unless `join=False`), so that
        `sc.tl.umap(adata, neighbors_key="clr_pseudotime")`, `sc.tl.paga` and other tools can use it.
    key_added
        Column of `obs` and key of `uns` to write.
    {random_state}
    {progress}
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `obs["clr_pseudotime"]`
        From 0, the root, to 1.
    `obs["clr_pseudotime_spread"]`
        How far a cell's place in the order varies over the graphs: its interquartile range, as a share of the cells.
    `obs["clr_pseudotime_piece"]`
        With `join=False`: the piece of each cell, `"0"` that of the root. Times of different pieces cannot be
        compared; a piece of fewer than five cells has none (NaN).
    `uns["clr_pseudotime"]`
        The parameters, the name of the root cell, the number of pieces (`n_pieces`) of the neighbour graph before it
        was joined, and the mean Spearman correlation of two graphs' orders (`agreement`).
    `obsp["clr_pseudotime_connectivities"]`, `obsp["clr_pseudotime_distances"]`
        With `keep_graph=True`; `uns["clr_pseudotime"]` then serves as a `neighbors_key`.

    What `sc.pp.neighbors`, `sc.tl.paga`, `sc.tl.diffmap` and `sc.tl.dpt` have written stays as it is.

    Raises
    ------
    KeyError
        Where `use_rep`, `groupby` or the root is missing.
    ValueError
        Where `n_neighbors` is no whole number of at least 2, there are fewer than five cells, the embedding holds NaN
        or infinite values, or `uns[key_added]` is another kind of record, which would be lost.
    TypeError
        Where `adata` is no AnnData.

    Warns
    -----
    UserWarning
        Where the neighbour graph is in pieces, which are then joined, the root's piece has too few cells for an order,
        or the graphs do not agree on one. Or where the embedding's record is of fewer cells, or is what is left of
        several: samples that were embedded apart, and joined.

    See Also
    --------
    scclr_ext.pl.pseudotime_order : the known stages against the pseudotime.

    Notes
    -----
    For each number of neighbours there are two graphs: one links every cell to its nearest, the other only the pairs
    that name each other. The first takes short cuts where a stage has fewer cells than there are neighbours to name;
    the second, which is free of them, leaves odd cells alone. All links weigh the same. A piece is joined to the one
    nearest to it by as many links as a cell has neighbours, first the closest pieces (Boruvka's algorithm for a minimum
    spanning tree). A cell's place is the median of its places in all orders (fewer than ten with
    few cells, where numbers of neighbours coincide), and its pseudotime the mean of what the cells at this place have.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> day = np.repeat(np.arange(4), 25)
    >>> rep = np.column_stack([5.0 * day, np.zeros(100)]) + rng.normal(size=(100, 2))
    >>> adata = ad.AnnData(obs={"day": day.astype(str)}, obsm={"X_clr": rep})
    >>> clr.tl.contrastive_pseudotime(adata, root="0", groupby="day", progress=False)
    >>> adata.obs.groupby("day")["clr_pseudotime"].median().is_monotonic_increasing
    True
    """
    check_adata(adata)
    check_copy(adata, copy=copy)
    check_key_added(key_added)
    check_free(adata, key_added, PSEUDOTIME)
    random_state = check_random_state(random_state)
    rep = get_rep(adata, use_rep)
    check_whole(2, n_neighbors=n_neighbors)
    if len(rep) < FEWEST_CELLS:
        msg = f"An order needs at least {FEWEST_CELLS} cells; adata has {len(rep)}."
        raise ValueError(msg)
    start = find_root(adata, root, groupby, rep)
    warn_of_other_cells(adata, use_rep, uns_key_of(use_rep))
    show = settings.shows(progress)

    found = order_cells(rep, start, n_neighbors, join=join, random_state=random_state, progress=show)
    if found.n_pieces > 1 and join:
        warn(
            f"The neighbour graph is in {found.n_pieces} pieces, which were joined where they are nearest: how long "
            "the gaps took is a guess. join=False orders each piece by itself."
        )
    if np.isnan(found.pseudotime[start]):
        warn(
            f"The root is in a piece of the neighbour graph with fewer than {FEWEST_CELLS} cells, which have no order. "
            "Give another root, more `n_neighbors`, or join=True."
        )
    if found.agreement < _DOUBTFUL:
        warn(
            f"The graphs hardly agree on an order (mean Spearman correlation {found.agreement:.2f}): the embedding "
            f"{use_rep!r} may not hold one. Compare with another method, or with a PCA."
        )

    columns: dict[str, Any] = {key_added: found.pseudotime, f"{key_added}_spread": found.spread}
    if not join:
        labels = [str(i) for i in range(found.n_pieces)]
        columns[f"{key_added}_piece"] = pd.Categorical.from_codes(found.piece, categories=labels)
    record: dict[str, Any] = {
        "params": {
            "use_rep": use_rep,
            "root": str(adata.obs_names[start]),
            "root_group": "" if groupby is None else str(root),
            "groupby": groupby or "",
            "n_neighbors": n_neighbors,
            "method": "umap",  # what scanpy's readers of a graph ask for
            "join": join,
            "random_state": random_state,
            **noted_training(adata, uns_key_of(use_rep)),
        },
        "n_pieces": found.n_pieces,
        "agreement": found.agreement,
    }
    graphs: dict[str, Any] = {}
    if keep_graph:
        record |= {name: f"{key_added}_{name[:-4]}" for name in ("connectivities_key", "distances_key")}
        graphs[record["connectivities_key"]] = found.links
        graphs[record["distances_key"]] = _lengths(found.links, rep)

    stale, stale_graphs = set(), set()
    if is_record(before := adata.uns.get(key_added), PSEUDOTIME):  # what an earlier one left and this one does not
        stale = {f"{key_added}_piece"} & set(adata.obs) - set(columns)
        stale_graphs = {before.get("connectivities_key"), before.get("distances_key")} & set(adata.obsp) - set(graphs)
    target = writable(adata, copy=copy)
    for name, column in columns.items():
        target.obs[name] = column
    for name, graph in graphs.items():
        target.obsp[name] = graph
    for name in stale:
        del target.obs[name]
    for name in stale_graphs:
        del target.obsp[name]
    target.uns[key_added] = record
    pieces = "" if found.n_pieces == 1 else f", {found.n_pieces} pieces"
    report(f"added obs[{key_added!r}] (agreement {found.agreement:.2f}{pieces}) and uns[{key_added!r}]")
    return target if copy else None


def _lengths(links: sparse.csr_matrix, rep: np.ndarray) -> sparse.csr_matrix:
    lengths = links.tocoo()
    # Cells that coincide stay linked: an entry of 0 would be no entry.
    distance = np.maximum(np.linalg.norm(rep[lengths.row] - rep[lengths.col], axis=1), np.finfo(np.float32).tiny)
    lengths.data = distance.astype(np.float64)
    return lengths.tocsr()
