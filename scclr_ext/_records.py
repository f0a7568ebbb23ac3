"""Which kind of record an entry of `uns` is, so that no function writes over what another has left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scclr_ext import _keys

if TYPE_CHECKING:
    from anndata import AnnData

EMBEDDING = "the record of an embedding"
CLUSTERS = "the record of a clustering"
STABILITY = "the record of repeated runs"
ATTRIBUTION = "the record of an attribution"
PSEUDOTIME = "the record of a pseudotime"
MAPPING = "the record of a mapping"
GRAPH = "a neighbour graph"

# What it holds, and what its `params` hold; the first that fits. Those below ours are scanpy's.
_HOLD: dict[str, tuple[set[str], set[str]]] = {
    EMBEDDING: ({"history"}, {"obsm_key"}),
    STABILITY: ({"runs", "ari"}, set()),
    ATTRIBUTION: ({"groups", "total"}, set()),
    PSEUDOTIME: ({"n_pieces", "agreement"}, set()),
    CLUSTERS: (set(), {"use_rep", "n_clusters"}),
    MAPPING: ({"missing_genes"}, set()),
    "the record of a preprocessing": ({"target_sum", "deferred"}, set()),
    "the record of a choice of genes": ({"candidates", "morans_i"}, set()),
    GRAPH: ({"connectivities_key"}, set()),
    "a ranking of genes": ({"names", "scores"}, set()),
    "a PCA": ({"variance_ratio"}, set()),
    "a UMAP": (set(), {"a", "b"}),
}


def is_record(record: Any, kind: str) -> bool:
    """Whether an entry of `uns` is a record of this kind."""
    return _kind_of(record) == kind


def check_free(adata: AnnData, key: str, kind: str, *, asked: bool = True) -> None:
    """Refuse to write a record of this kind over one of another kind, where `key_added` asked for it or anyway.

    Raises
    ------
    ValueError
        Where one is there.
    """
    found = "what tells scanpy of logarithms" if key == _keys.LOG1P_UNS else _kind_of(adata.uns.get(key))
    if found not in {None, kind}:
        named, remedy = (f"`key_added` {key!r}: ", "give another `key_added`, or ") if asked else ("", "")
        msg = (
            f"{named}adata.uns[{key!r}] is {found}, which would be lost: {kind} is written there; {remedy}"
            f"remove it first (del adata.uns[{key!r}])."
        )
        raise ValueError(msg)


def _kind_of(record: Any) -> str | None:
    if not isinstance(record, Mapping):
        return None
    params = record.get("params")
    params = params if isinstance(params, Mapping) else {}
    fits = (kind for kind, (own, of_params) in _HOLD.items() if own <= set(record) and of_params <= set(params))
    return next(fits, None)
