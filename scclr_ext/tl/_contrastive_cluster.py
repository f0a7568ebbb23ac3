"""From an embedding to clusters and a neighbour graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, get_rep, writable
from scclr_ext._batches import batch_codes, recorded_batch_key
from scclr_ext._checks import check_key_added, check_random_state
from scclr_ext._docs import shared_docs
from scclr_ext._records import CLUSTERS, GRAPH, check_free
from scclr_ext._settings import report
from scclr_ext._stale import noted_training, warn_of_other_cells
from scclr_ext._values.stored import check_copy
from scclr_ext.tl._clustering.find_clusters import ClusterOptions, find_clusters
from scclr_ext.tl._graph import neighbor_graph, stored_graph

if TYPE_CHECKING:
    from anndata import AnnData


@shared_docs
def contrastive_cluster(
    adata: AnnData,
    *,
    use_rep: str = "X_clr",
    method: str = "leiden",
    resolution: float | None = None,
    n_clusters: int | None = None,
    n_neighbors: int = 15,
    neighbors_key: str | None = None,
    batch_key: str | None = "auto",
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
        For the graph methods: higher gives more clusters.
    n_clusters
        Number of clusters. The graph methods then search the resolution that gives it (one cluster needs none: 0 is
        recorded). With neither `resolution` nor
        `n_clusters`, the number of clusters is chosen without labels (see Notes).
    n_neighbors
        Neighbours of each cell in the graph, of which scanpy counts the cell itself as one; fewer where there are fewer
        cells.
    neighbors_key
        Key in `uns` of a graph of this embedding that is there already, from `sc.pp.neighbors` or, on a GPU,
        `rapids_singlecell.pp.neighbors`: the clusters are cut from it as it is. Of more than 20 000 cells the number of
        clusters, where it is to be chosen, is chosen on a sample, which needs a graph of its own.
    batch_key
        Column of `obs` with the batch of each cell. The choice of the number of clusters then looks for gaps within
        batches, so that a batch effect that is left does not pass for a cell type. `"auto"` takes the column that the
        embedding was told of, by its record in `uns`, if it still names batches; None takes none.
    key_added
        Column of `obs` and key of `uns` to write.
    {random_state}
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `obs["clr_clusters"]`
        Cluster of each cell: a categorical of strings, `"0"` the largest cluster (of the sample, above 20 000 cells).
    `uns["clr_clusters"]`
        The parameters and, where the number was chosen, every candidate with its criteria (`"sweep"`), the choice
        and how sure it is (`"choice"`), and how cells move between candidates (`"flow"`).
        :func:`scclr_ext.pl.resolution_sweep` draws them.
    `uns["neighbors"]`, `obsp["connectivities"]`, `obsp["distances"]`
        The neighbour graph of the embedding, as `sc.pp.neighbors` writes it: `sc.tl.umap`, `sc.tl.paga` and
        `sc.tl.dpt` use it as it is. Not with `neighbors_key`.

    Raises
    ------
    KeyError
        Where `use_rep`, `neighbors_key` or `batch_key` is missing.
    ValueError
        For an unknown method, options that are out of range or contradict one another, fewer than three cells, an
        embedding with NaN or infinite values, a graph of another embedding, a `batch_key` that leaves most cells alone
        or is a measurement, or where `uns[key_added]` (or `uns["neighbors"]`) is another kind of record, which
        would be lost.
    TypeError
        Where `adata` is no AnnData.

    Warns
    -----
    UserWarning
        Where no resolution gives exactly `n_clusters`. Or where the embedding's record is of fewer cells, or is what
        is left of several: samples that were embedded apart, and joined. Or where the batches are gone that the
        embedding was told of.

    Notes
    -----
    The choice sweeps 20 resolutions from 0.02 to 3 (or 2 to 30 clusters). A candidate's score is its modularity on the
    neighbour graph, which asks for enough clusters, times the depth of the valley in the density of cells between each
    cluster and its neighbours (to the power 0.3, reached by all but a tenth of the cells), which asks for no more than
    there are. Chosen is the candidate with the highest mean agreement with all candidates, weighted by their scores.
    The confidence is the geometric mean of that agreement, of the agreement with clusterings of 80 % of the
    cells, and of the separation. Where nothing is separated, or the second agreement is next to none (below 0.2), the
    answer is one cluster. Above 20 000 cells all this is done on a random sample of that size, whose clusters
    then spread along the neighbour graph of all cells (label propagation, Zhu and Ghahramani 2002).

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
    check_adata(adata)
    check_key_added(key_added)
    check_free(adata, key_added, CLUSTERS)
    check_copy(adata, copy=copy)
    if neighbors_key is None:
        check_free(adata, "neighbors", GRAPH, asked=False)
        if key_added == "neighbors":
            msg = "`key_added` 'neighbors' is where the neighbour graph is written; give another name."
            raise ValueError(msg)
    random_state = check_random_state(random_state)
    rep = get_rep(adata, use_rep)
    options = ClusterOptions(method, resolution, n_clusters, n_neighbors)
    options.check(adata.n_obs, name="method")

    key = _keys.uns_key_of(use_rep)
    if batch_key == "auto":
        batch_key = recorded_batch_key(adata, key) if options.chooses else None
    batches = None if batch_key is None else batch_codes(adata, batch_key)
    warn_of_other_cells(adata, use_rep, key)

    if neighbors_key is None:
        work = neighbor_graph(rep, use_rep, n_neighbors, random_state)
        graph = work.obsp["connectivities"]
    else:
        graph = stored_graph(adata, neighbors_key, use_rep)
    params: dict[str, Any] = {"use_rep": use_rep, "method": method, "random_state": random_state}
    params |= noted_training(adata, key)
    if batch_key is not None:
        params["batch_key"] = batch_key
    if neighbors_key is not None:
        params["neighbors_key"] = neighbors_key
    labels, found, record = find_clusters(rep, graph, options, batches=batches, random_state=random_state)
    if found is not None:
        params["resolution"] = found
    params["n_clusters"] = int(labels.max()) + 1
    names = [str(label) for label in range(params["n_clusters"])]

    target = writable(adata, copy=copy)
    if neighbors_key is None:
        target.uns["neighbors"] = work.uns["neighbors"]
        for name in ("connectivities", "distances"):
            target.obsp[name] = work.obsp[name]
    target.obs[key_added] = pd.Categorical.from_codes(labels, categories=names)
    target.uns[key_added] = {"params": params, **record}
    report(
        f"added obs[{key_added!r}], {params['n_clusters']} clusters{_how_sure(record)}"
        + (", and the neighbour graph uns['neighbors']" if neighbors_key is None else "")
    )
    return target if copy else None


def _how_sure(record: dict[str, Any]) -> str:
    if not record:
        return ""
    choice = record["choice"]
    if choice["index"] < 0:
        return " (no clusters were found that stand apart and come out again)"
    rival = f", else {choice['runner_up']}" if choice["runner_up"] else ""
    return f" (confidence {choice['confidence']:.2f}{rival})"
