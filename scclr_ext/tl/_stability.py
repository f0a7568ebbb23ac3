"""The same embedding with several seeds, and what all of them agree on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, writable
from scclr_ext._checks import check_key_added, check_random_state, check_whole
from scclr_ext._docs import shared_docs
from scclr_ext._records import STABILITY, check_free
from scclr_ext._settings import report, settings
from scclr_ext._values.stored import check_copy
from scclr_ext._warn import warn
from scclr_ext.tl._clustering.find_clusters import ClusterOptions
from scclr_ext.tl._embedding.model_input import look_at_logarithms, read_model_input
from scclr_ext.tl._embedding.published import warn_of_other_recipe
from scclr_ext.tl._embedding.training_options import with_options
from scclr_ext.tl._repeats.consensus import consensus
from scclr_ext.tl._repeats.record import stability_record
from scclr_ext.tl._repeats.request import known_labels, what_to_repeat
from scclr_ext.tl._repeats.run_once import SeedRun, run_once

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext.engine.config import MethodConfig

_SEEDS = 2**32


@shared_docs
def stability(
    adata: AnnData,
    method: str | MethodConfig | None = None,
    *,
    n_seeds: int = 5,
    key: str = _keys.EMBEDDING_UNS,
    preset: str | None = None,
    layer: str | None = None,
    mask_var: str | NDArray[np.bool_] | None = "auto",
    batch_key: str | None = None,
    n_epochs: int | None = None,
    n_steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    early_stopping: bool | None = None,
    cluster_method: str = "leiden",
    resolution: float | None = None,
    n_clusters: int | None = None,
    n_neighbors: int = 15,
    labels: str | None = None,
    key_added: str | None = None,
    device: str = "auto",
    random_state: int = 0,
    progress: bool | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Embed and cluster the cells with several seeds, and say what all runs agree on.

    Training starts from random weights and sees random distortions: another seed gives another embedding, and other
    clusters. What comes out of every run is a property of the data and the method; what does not should carry no
    conclusion. The clusters that agree best with all runs are kept, with the confidence of each cell.

    Parameters
    ----------
    {adata}
    method
        What to repeat: a method's name or a config, as in :func:`scclr_ext.tl.contrastive_embed`. None repeats the
        embedding recorded in `uns[key]`, with its settings, layer, genes and batches, and on a device of the same kind
        with its precision.
    n_seeds
        Number of runs, at least 2.
    key
        Name of the record that is repeated where `method` is None.
    preset, layer, mask_var, batch_key
        As in :func:`scclr_ext.tl.contrastive_embed`; only with a `method`. With batches the number of clusters is
        chosen within them, as :func:`scclr_ext.tl.contrastive_cluster` does.
    n_epochs, n_steps, batch_size, learning_rate, early_stopping
        As in :func:`scclr_ext.tl.contrastive_embed`, also to change what the record says.
    cluster_method, resolution, n_clusters, n_neighbors
        `method` and the rest as in :func:`scclr_ext.tl.contrastive_cluster`. With neither `resolution` nor
        `n_clusters` each run chooses its number of clusters: how much the choice varies is part of the answer.
    labels
        Column of `obs` with known labels, to which the clusters of each run are compared as well. They play no part
        in anything else.
    key_added
        None writes the names below; `"foo"` writes `uns["foo"]`, `obs["foo_consensus"]` and
        `obs["foo_consensus_confidence"]`.
    {device}
    {random_state}
        The runs have the seeds `random_state`, `random_state + 1`, and so on: the first one is what
        `contrastive_embed` and `contrastive_cluster` give with `random_state`.
    progress
        Show progress bars; None follows `scclr_ext.settings.progress`.
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `obs["clr_consensus"]`
        The consensus clustering: a categorical of strings, `"0"` the largest cluster.
    `obs["clr_consensus_confidence"]`
        How far the runs agree about a cell, from 0 to 1 (see Notes).
    `uns["clr_stability"]`
        Parameters, a table with a row per run (`"runs"`) and one with a row per consensus cluster (`"clusters"`), and
        for each pair of runs the adjusted Rand index of their clusters (`"ari"`) and the share of neighbours they
        have in common (`"neighbor_overlap"`), both of shape `(n_seeds, n_seeds)`.
        :func:`scclr_ext.pl.stability` draws them.

    Raises
    ------
    KeyError
        Where `uns[key]` is missing and no `method` is given, a gene of the record is gone, or `layer`, `mask_var`,
        `batch_key` or `labels` is missing.
    ValueError
        Where there are fewer than three cells, `n_seeds` is below 2, options contradict one another, the entry of
        `uns` to write is another kind of record, or for whatever `contrastive_embed` and `contrastive_cluster` refuse.
    TypeError
        Where `adata` is no AnnData, its values are not numbers, or `method` is neither a name nor a config.
    FloatingPointError
        Where a training diverges.

    Warns
    -----
    UserWarning
        Where the embedding of a run has collapsed, or its loss stayed at chance. Or where a published preset is asked
        for, and :func:`scclr_ext.pp.contrastive_preprocess` was told another method's recipe.

    See Also
    --------
    scclr_ext.pl.stability : the figure.

    Notes
    -----
    The likeness of two clusters is the number of cells they share, divided by the size of the larger one. A cell's
    confidence is the likeness of its consensus cluster to the clusters that the runs put it into, averaged over the
    runs (the element-centric similarity of Gates et al., Scientific Reports 2019). It is 1 where every run found the
    same cluster, and falls where the cell changed sides or its cluster was split or merged. The consensus is the
    clustering that hill climbing from each run finds to have the highest mean confidence; what is left of clusters
    that hardly any run knows joins the others.

    Neighbours are the `n_neighbors - 1` nearest other cells in each run's embedding: scanpy counts the cell itself. Two
    unrelated embeddings share the fraction `(n_neighbors - 1) / (n_cells - 1)` of them by chance.

    Ciortan & Defrance (2021, figure 9a) report the coefficient of variation of each score over runs;
    :func:`scclr_ext.get.stability` computes it.

    The time is that of `n_seeds` embeddings and clusterings, the memory that of one and of the neighbours of each
    run. The call can be interrupted at any time: `adata` then is as it was before.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> rng = np.random.default_rng(0)
    >>> rates = np.where(np.arange(40) // 20 == np.arange(60)[:, None] // 30, 4.0, 0.5)
    >>> adata = ad.AnnData(rng.poisson(rates).astype("float32"))
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.stability(adata, "scclr", n_seeds=2, n_steps=60, n_clusters=2, progress=False, device="cpu")
    >>> adata.obs["clr_consensus"].value_counts().to_dict()
    {'0': 30, '1': 30}
    >>> float(adata.obs["clr_consensus_confidence"].min())
    1.0
    """
    check_adata(adata)
    check_copy(adata, copy=copy)
    check_key_added(key_added, or_none=True)
    keys = _keys.stability_keys(key_added)
    check_free(adata, keys.uns, STABILITY)
    random_state = check_random_state(random_state)
    check_whole(2, n_seeds=n_seeds)
    options = ClusterOptions(cluster_method, resolution, n_clusters, n_neighbors)
    options.check(adata.n_obs, name="cluster_method")
    if adata.n_obs < 3:
        msg = f"A neighbour graph needs at least 3 cells; adata has {adata.n_obs}."
        raise ValueError(msg)
    known = known_labels(adata, labels)
    what = what_to_repeat(
        adata, method, key=key, device=device, preset=preset, layer=layer, mask_var=mask_var, batch_key=batch_key
    )
    trained = with_options(
        what.choice,
        n_epochs=n_epochs,
        n_steps=n_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        early_stopping=early_stopping,
    )
    data = read_model_input(adata, layer=what.layer, mask_var=what.mask_var, batch_key=what.batch_key)
    look_at_logarithms(adata, data)
    if preset is not None:
        warn_of_other_recipe(adata, what.choice, data)

    started = time.perf_counter()
    show = settings.shows(progress)
    seeds = [(random_state + i) % _SEEDS for i in range(int(n_seeds))]
    runs = [
        run_once(
            trained.config,
            data,
            options,
            known=known,
            device=device,
            precision=what.precision,
            random_state=seed,
            progress=show,
        )
        for seed in tqdm(seeds, desc="Seeds", unit="seed", disable=not show, leave=False)
    ]
    agreed = consensus(np.stack([one.labels for one in runs]))
    _warn_of_collapse(seeds, runs)
    n_found = int(agreed.labels.max()) + 1
    record = stability_record(
        trained,
        data,
        options,
        agreed,
        runs,
        keys,
        obsm_key=_embedding_name(adata, key) if method is None else "",
        labels=labels or "",
        random_state=random_state,
        seeds=seeds,
    )
    record["seconds"] = time.perf_counter() - started
    target = writable(adata, copy=copy)
    target.obs[keys.clusters] = pd.Categorical.from_codes(agreed.labels, [str(i) for i in range(n_found)])
    target.obs[keys.confidence] = agreed.confidence
    target.uns[keys.uns] = record
    pairs = np.triu_indices(len(runs), 1)
    report(
        f"added obs[{keys.clusters!r}], {n_found} clusters, obs[{keys.confidence!r}] (mean "
        f"{agreed.confidence.mean():.2f}), and uns[{keys.uns!r}]: over {len(runs)} seeds the mean ARI is "
        f"{record['ari'][pairs].mean():.2f}, {record['neighbor_overlap'][pairs].mean():.0%} of neighbours are shared"
    )
    return target if copy else None


def _embedding_name(adata: AnnData, key: str) -> str:
    return str(adata.uns[key]["params"].get("obsm_key", ""))


def _warn_of_collapse(seeds: list[int], runs: list[SeedRun]) -> None:
    bad = [(seed, one.problem) for seed, one in zip(seeds, runs, strict=True) if one.problem is not None]
    if bad:
        warn(
            f"Do not trust {len(bad)} of {len(runs)} embeddings (seeds {', '.join(str(seed) for seed, _ in bad)}); "
            f"of the first, {bad[0][1]}. Train longer (`n_steps`), lower `learning_rate`, or use the method's default "
            "preset."
        )
