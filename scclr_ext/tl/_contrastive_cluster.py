"""From an embedding to clusters and a neighbour graph."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

from scclr_ext._anndata import as_actual, get_rep
from scclr_ext._docs import ADATA, COPY, RANDOM_STATE, doc_params
from scclr_ext._settings import report
from scclr_ext.tl._partition import GRAPH_METHODS, REP_METHODS, by_size
from scclr_ext.tl._resolution import resolution_for

if TYPE_CHECKING:
    from numpy.typing import NDArray


@doc_params(adata=ADATA, random_state=RANDOM_STATE, copy=COPY)
def contrastive_cluster(
    adata: AnnData,
    *,
    use_rep: str = "X_clr",
    method: str = "leiden",
    resolution: float | None = None,
    n_clusters: int | None = None,
    n_neighbors: int = 15,
    key_added: str = "clr_clusters",
    random_state: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Cluster the cells of an embedding, and leave the neighbour graph that scanpy's tools go on with.

    Parameters
    ----------
    {adata}
    use_rep
        Key in `obsm` of the embedding (`"X_pca"` works as well).
    method
        On the neighbour graph: `"leiden"`, `"louvain"`. On the embedding itself, with scikit-learn: `"kmeans"`,
        `"ward"`, `"birch"`, `"gaussian-mixture"`, `"spectral"` (on the graph's weights) and `"mean-shift"` (which
        finds the number of clusters by itself).
    resolution
        For the graph methods: higher gives more clusters. None is 1.
    n_clusters
        Number of clusters. The graph methods then search the resolution that gives it.
    n_neighbors
        Neighbours of each cell in the graph; fewer where there are fewer cells.
    key_added
        Column of `obs` and key of `uns` to write.
    {random_state}
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `obs["clr_clusters"]`
        Cluster of each cell: a categorical of strings, `"0"` the largest cluster.
    `uns["clr_clusters"]`
        The parameters.
    `uns["neighbors"]`, `obsp["connectivities"]`, `obsp["distances"]`
        The neighbour graph of the embedding, as `sc.pp.neighbors` writes it: `sc.tl.umap`, `sc.tl.paga` and
        `sc.tl.dpt` use it as it is.

    Raises
    ------
    KeyError
        Where `use_rep` is missing.
    ValueError
        For an unknown method, options that contradict one another, or an embedding with NaN or infinite values.

    Warns
    -----
    UserWarning
        Where no resolution gives exactly `n_clusters`.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> adata = ad.AnnData(np.zeros((60, 1), dtype="float32"))
    >>> adata.obsm["X_clr"] = np.repeat([[0.0, 0.0], [9.0, 9.0]], 30, axis=0) + rng.normal(size=(60, 2))
    >>> clr.tl.contrastive_cluster(adata, n_clusters=2)
    >>> adata.obs["clr_clusters"].value_counts().to_dict()
    {'0': 30, '1': 30}
    """
    rep = get_rep(adata, use_rep)
    _check_options(adata, method, resolution=resolution, n_clusters=n_clusters, n_neighbors=n_neighbors)

    # On an AnnData of its own: whatever fails, the user's stays as it was.
    work = AnnData(np.zeros((adata.n_obs, 0), dtype=np.float32), obsm={use_rep: rep})
    sc.pp.neighbors(work, n_neighbors=min(n_neighbors, adata.n_obs - 1), use_rep=use_rep, random_state=random_state)
    graph = work.obsp["connectivities"]
    params: dict[str, Any] = {"use_rep": use_rep, "method": method, "random_state": random_state}
    if method in GRAPH_METHODS:
        labels, params["resolution"] = _cut_graph(graph, method, resolution, n_clusters, random_state)
    else:
        labels = REP_METHODS[method].fit(rep, graph, n_clusters or 0, random_state)
    labels = by_size(labels)
    params["n_clusters"] = int(labels.max()) + 1

    target = adata.copy() if copy else adata
    as_actual(target)
    target.uns["neighbors"] = work.uns["neighbors"]
    for key in ("connectivities", "distances"):
        target.obsp[key] = work.obsp[key]
    names = [str(label) for label in range(params["n_clusters"])]
    target.obs[key_added] = pd.Categorical.from_codes(labels, categories=names)
    target.uns[key_added] = {"params": params}
    report(f"added obs[{key_added!r}], {params['n_clusters']} clusters, and the neighbour graph uns['neighbors']")
    return target if copy else None


def _cut_graph(
    graph: Any, method: str, resolution: float | None, n_clusters: int | None, random_state: int
) -> tuple[NDArray[np.int64], float]:
    def partition(value: float) -> NDArray[np.int64]:
        return GRAPH_METHODS[method](graph, value, random_state)

    if n_clusters is None:
        resolution = 1.0 if resolution is None else resolution
        return partition(resolution), resolution
    found = resolution_for(partition, n_clusters)
    if found.n_clusters != n_clusters:
        warnings.warn(
            f"No resolution gave {n_clusters} clusters; {found.n_clusters} is the nearest "
            f"(resolution {found.resolution:.3g}). Use method='kmeans' for exactly {n_clusters}.",
            UserWarning,
            stacklevel=3,
        )
    return found.labels, found.resolution


def _check_options(
    adata: AnnData, method: str, *, resolution: float | None, n_clusters: int | None, n_neighbors: int
) -> None:
    if method not in GRAPH_METHODS and method not in REP_METHODS:
        known = ", ".join(map(repr, (*GRAPH_METHODS, *REP_METHODS)))
        msg = f"Unknown `method` {method!r}; choose one of {known}."
        raise ValueError(msg)
    if resolution is not None and (method in REP_METHODS or n_clusters is not None):
        msg = f"`resolution={resolution}` only goes with 'leiden' or 'louvain' and without `n_clusters`."
        raise ValueError(msg)
    if resolution is not None and not resolution > 0:
        msg = f"`resolution` must be positive; found {resolution}."
        raise ValueError(msg)
    if method in REP_METHODS and REP_METHODS[method].takes_k != (n_clusters is not None):
        needs = "needs `n_clusters`" if REP_METHODS[method].takes_k else "finds the number of clusters by itself"
        msg = f"method={method!r} {needs}; found n_clusters={n_clusters}."
        raise ValueError(msg)
    if n_clusters is not None and not 1 <= n_clusters <= adata.n_obs:
        msg = f"`n_clusters` must be between 1 and the number of cells ({adata.n_obs}); found {n_clusters}."
        raise ValueError(msg)
    if n_neighbors < 2:
        msg = f"`n_neighbors` must be at least 2; found {n_neighbors}."
        raise ValueError(msg)
