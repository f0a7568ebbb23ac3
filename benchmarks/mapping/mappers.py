"""What a user could pick to carry labels over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scanpy as sc

import scclr_ext as clr
from scclr_ext.io import Reference
from scclr_ext.tl._mapping.transfer import assess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    Mapper = Callable[[AnnData, AnnData, int, str | None, Path | None], "Mapped"]

_LABELS = "cell_type"


class Mapped(NamedTuple):
    """A label, a confidence (NaN where there is none), and a novelty (above 1: novel) for each query cell."""

    labels: np.ndarray
    confidence: np.ndarray
    novelty: np.ndarray


def ours(method: str, *, move: bool = False) -> Mapper:
    """Embed the reference, map the query; perhaps move the query onto the reference first."""

    def mapper(reference: AnnData, query: AnnData, seed: int, batch_key: str | None, folder: Path | None) -> Mapped:
        kept = None if folder is None else folder / f"{method}-{seed}"
        if kept is None or not kept.exists():
            clr.pp.contrastive_preprocess(reference, method, batch_key=batch_key)
            clr.tl.contrastive_embed(
                reference, method, batch_key=batch_key, random_state=seed, device="cpu", progress=False
            )
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                clr.io.save(reference, kept, labels=_LABELS)
        query.obs["all"] = "query"
        clr.tl.map_query(
            query,
            kept or reference,
            labels=_LABELS,
            batch_key="all" if move else None,
            random_state=seed,
            device="cpu",
        )
        return _read(query)

    return mapper


def ingest(*, scale: bool) -> Mapper:
    """Scanpy's ingest on 50 principal components of 2000 genes.

    Ingest has no notion of novelty: what stands here is what ours makes of the same principal components.
    """

    def mapper(reference: AnnData, query: AnnData, seed: int, batch_key: str | None, folder: Path | None) -> Mapped:
        for part in (reference, query):
            sc.pp.normalize_total(part, target_sum=1e4)
            sc.pp.log1p(part)
        sc.pp.highly_variable_genes(reference, n_top_genes=min(2000, reference.n_vars), batch_key=batch_key)
        reference = reference[:, reference.var["highly_variable"]].copy()
        query = query[:, reference.var_names].copy()
        if scale:
            sc.pp.scale(reference, max_value=10)
            values = query.X.toarray() - reference.var["mean"].to_numpy()
            query.X = np.clip(values / reference.var["std"].to_numpy(), None, 10)
        sc.pp.pca(reference, n_comps=min(50, *(n - 1 for n in reference.shape)), random_state=seed)
        sc.pp.neighbors(reference, random_state=seed)
        sc.tl.ingest(query, reference, obs=_LABELS, embedding_method="pca")
        cells = Reference(
            np.asarray(reference.obsm["X_pca"], dtype=np.float32),
            _LABELS,
            tuple(reference.obs[_LABELS].cat.categories),
            reference.obs[_LABELS].cat.codes.to_numpy(),
            np.zeros(reference.n_obs, dtype=np.int32)
            if batch_key is None
            else reference.obs[batch_key].cat.codes.to_numpy().astype(np.int32),
        )
        projected = np.asarray(query.obsm["X_pca"], dtype=np.float32)
        found = assess(cells, projected, n_neighbors=15, quantile=0.95, rng=np.random.default_rng(seed))
        return Mapped(query.obs[_LABELS].astype(str).to_numpy(), np.full(query.n_obs, np.nan), found.novelty)

    return mapper


def _read(query: AnnData) -> Mapped:
    obs = query.obs
    return Mapped(
        obs["clr_label"].astype(str).to_numpy(), obs["clr_confidence"].to_numpy(), obs["clr_novelty"].to_numpy()
    )


MAPPERS: dict[str, Mapper] = {
    "scclr": ours("scclr"),
    "scclr, moved": ours("scclr", move=True),
    "ingest": ingest(scale=False),
    "ingest, scaled": ingest(scale=True),
    "clear": ours("clear"),
    "clear, moved": ours("clear", move=True),
}
