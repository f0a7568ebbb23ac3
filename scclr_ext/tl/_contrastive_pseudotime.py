"""From an embedding and a first cell to an order of all cells."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances
from tqdm.auto import tqdm

from scclr_ext._anndata import as_actual, check_adata, check_key_added, check_random_state, get_rep, names
from scclr_ext._docs import ADATA, COPY, RANDOM_STATE, doc_params
from scclr_ext._keys import PSEUDOTIME_OBS
from scclr_ext._settings import report, settings
from scclr_ext.tl._joined_graph import Nearest, join_pieces, n_pieces, neighbor_links
from scclr_ext.tl._order import Consensus, consensus, diffusion_distance

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

_SCALES = np.geomspace(1 / 3, 2, 5)
"""Numbers of neighbours that are tried, as multiples of `n_neighbors`."""
_SHARE = 3
"""No more neighbours than a third of the cells: beyond, nobody is a neighbour."""
_FEWEST = 5
_MEDOID_CELLS = 2000
_DOUBTFUL = 0.5


@doc_params(adata=ADATA, random_state=RANDOM_STATE, copy=COPY)
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
    progress
        Show a progress bar; None follows `scclr_ext.settings.progress`.
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
        Where `n_neighbors` is below 2, there are fewer than five cells, or the embedding holds NaN or infinite values.
    TypeError
        Where `adata` is no AnnData.

    Warns
    -----
    UserWarning
        Where the neighbour graph is in pieces, which are then joined, or the graphs do not agree on an order.

    See Also
    --------
    scclr_ext.pl.pseudotime_order : the known stages against the pseudotime.

    Notes
    -----
    For each number of neighbours there are two graphs: one links every cell to its nearest, the other only the pairs
    that name each other. The first takes short cuts where a stage has fewer cells than there are neighbours to name;
    the second, which is free of them, leaves odd cells alone. All links weigh the same. A piece is joined to the one
    nearest to it by as many links as a cell has neighbours, first the closest pieces (Boruvka's algorithm for a minimum
    spanning tree). A cell's place is the median of its places in the ten orders, and its pseudotime the mean of what
    the cells at this place have.

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
    check_key_added(key_added)
    random_state = check_random_state(random_state)
    rep = get_rep(adata, use_rep)
    if n_neighbors < 2:
        msg = f"`n_neighbors` must be at least 2; found {n_neighbors}."
        raise ValueError(msg)
    if len(rep) < _FEWEST:
        msg = f"adata has {len(rep)} cells; an order needs at least {_FEWEST}."
        raise ValueError(msg)
    start = _find_root(adata, root, groupby, rep)
    show = settings.progress if progress is None else progress

    found = _order(rep, start, n_neighbors, join=join, random_state=random_state, progress=show)
    if found.n_pieces > 1 and join:
        warnings.warn(
            f"The neighbour graph is in {found.n_pieces} pieces, which were joined where they are nearest: how long "
            "the gaps took is a guess. join=False orders each piece by itself.",
            UserWarning,
            stacklevel=2,
        )
    if found.agreement < _DOUBTFUL:
        warnings.warn(
            f"The graphs hardly agree on an order (mean Spearman correlation {found.agreement:.2f}): the embedding "
            f"{use_rep!r} may not hold one. Compare with another method, or with a PCA.",
            UserWarning,
            stacklevel=2,
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
        },
        "n_pieces": found.n_pieces,
        "agreement": found.agreement,
    }
    graphs: dict[str, Any] = {}
    if keep_graph:
        record |= {name: f"{key_added}_{name[:-4]}" for name in ("connectivities_key", "distances_key")}
        graphs[record["connectivities_key"]] = found.links
        graphs[record["distances_key"]] = _lengths(found.links, rep)

    target = adata.copy() if copy else adata
    as_actual(target)
    for name, column in columns.items():
        target.obs[name] = column
    for name, graph in graphs.items():
        target.obsp[name] = graph
    target.uns[key_added] = record
    pieces = "" if found.n_pieces == 1 else f", {found.n_pieces} pieces"
    report(f"added obs[{key_added!r}] (agreement {found.agreement:.2f}{pieces}) and uns[{key_added!r}]")
    return target if copy else None


class _Found(NamedTuple):
    pseudotime: NDArray[np.float64]
    spread: NDArray[np.float64]
    agreement: float
    piece: NDArray[np.int64]
    n_pieces: int
    links: sparse.csr_matrix


def _order(rep: np.ndarray, root: int, n_neighbors: int, *, join: bool, random_state: int, progress: bool) -> _Found:
    numbers = _numbers(n_neighbors, len(rep))
    nearest = Nearest.find(rep, max(numbers), random_state)
    k = min(n_neighbors, max(numbers))
    links = neighbor_links(nearest, len(rep), k, mutual=False)
    count, piece = n_pieces(links)
    if join or count == 1:
        agreed = _agree(rep, nearest, root, numbers, random_state=random_state, progress=progress)
        return _Found(*agreed, piece * 0 if count == 1 else piece, count, join_pieces(links, rep, nearest, k))

    # The piece of the root comes first, then by size.
    sizes = np.bincount(piece, minlength=count)
    sizes[piece[root]] = len(rep) + 1
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    piece = rank[piece]
    time, spread, agreements = np.full(len(rep), np.nan), np.full(len(rep), np.nan), []
    for i in range(count):
        cells = np.flatnonzero(piece == i)
        if len(cells) < _FEWEST:
            continue
        first = int(np.linalg.norm(rep[cells] - rep[root], axis=1).argmin())
        inner = _numbers(n_neighbors, len(cells))
        agreed = _agree(
            rep[cells],
            Nearest.find(rep[cells], max(inner), random_state),
            first,
            inner,
            random_state=random_state,
            progress=progress,
        )
        time[cells], spread[cells] = agreed.pseudotime, agreed.spread
        agreements.append((len(cells), agreed.agreement))
    weights, values = np.array(agreements).T if agreements else (np.ones(1), np.ones(1))
    return _Found(time, spread, float(np.average(values, weights=weights)), piece, count, links)


def _agree(
    rep: np.ndarray, nearest: Nearest, root: int, numbers: list[int], *, random_state: int, progress: bool
) -> Consensus:
    orders = []
    kinds = [(k, mutual) for k in numbers for mutual in (False, True)]
    for k, mutual in tqdm(kinds, desc="Graphs", unit="graph", disable=not progress, leave=False):
        links = join_pieces(neighbor_links(nearest, len(rep), k, mutual=mutual), rep, nearest, k)
        orders.append(diffusion_distance(links, root, random_state))
    return consensus(orders)


def _numbers(n_neighbors: int, n_cells: int) -> list[int]:
    most = max(2, n_cells // _SHARE)
    return sorted({int(np.clip(k, 2, most)) for k in np.rint(n_neighbors * _SCALES)})


def _find_root(adata: AnnData, root: str | int, groupby: str | None, rep: np.ndarray) -> int:
    if groupby is not None:
        if groupby not in adata.obs:
            msg = f"`groupby={groupby!r}` is not a column of adata.obs; found {names(adata.obs)}."
            raise KeyError(msg)
        column = adata.obs[groupby]
        cells = np.flatnonzero((column.astype(str) == str(root)).to_numpy() & column.notna().to_numpy())
        if not len(cells):
            found = names(column.dropna().astype(str).unique())
            msg = f"`root={root!r}` is no value of adata.obs[{groupby!r}]; found {found}."
            raise KeyError(msg)
        return _medoid(rep, cells)
    if isinstance(root, str):
        place = adata.obs_names.get_indexer_for([root])
        if len(place) != 1 or place[0] < 0:
            msg = (
                f"`root={root!r}` is not one of adata.obs_names, or occurs twice; for a cell of a cluster or a stage "
                "give the column with `groupby`."
            )
            raise KeyError(msg)
        return int(place[0])
    if isinstance(root, bool) or not isinstance(root, Integral) or not 0 <= root < adata.n_obs:
        msg = f"`root={root!r}` is neither the name nor the number (0 to {adata.n_obs - 1}) of a cell."
        raise KeyError(msg)
    return int(root)


def _medoid(rep: np.ndarray, cells: NDArray[np.int64]) -> int:
    """Find the cell with the smallest sum of distances to the others, or to evenly spaced ones where they are many."""
    some = cells[:: -(-len(cells) // _MEDOID_CELLS)]
    return int(cells[pairwise_distances(rep[cells], rep[some]).sum(axis=1).argmin()])


def _lengths(links: sparse.csr_matrix, rep: np.ndarray) -> sparse.csr_matrix:
    lengths = links.tocoo()
    # Cells that coincide stay linked: an entry of 0 would be no entry.
    distance = np.maximum(np.linalg.norm(rep[lengths.row] - rep[lengths.col], axis=1), np.finfo(np.float32).tiny)
    lengths.data = distance.astype(np.float64)
    return lengths.tocsr()
