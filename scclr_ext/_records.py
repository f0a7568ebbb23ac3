"""Which kind of record an entry of `uns` is, so that no function writes over what another has left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, names

if TYPE_CHECKING:
    from anndata import AnnData

EMBEDDING = "the record of an embedding"
REMAINS = "what is left of the records of several embeddings that were joined"
CLUSTERS = "the record of a clustering"
STABILITY = "the record of repeated runs"
ATTRIBUTION = "the record of an attribution"
PSEUDOTIME = "the record of a pseudotime"
MAPPING = "the record of a mapping"
GRAPH = "a neighbour graph"

TOGETHER = (
    "Samples that were embedded apart have no coordinates in common: join them first and embed them together, or map "
    "one onto the other (scclr_ext.tl.map_query)."
)
"""What to do about :data:`REMAINS`."""

UNSURE = 0.5
"""A cell with less confidence than that in its consensus cluster counts as unsure."""

# What it holds, and what its `params` hold; the first that fits. Those below ours are scanpy's.
_HOLD: dict[str, tuple[set[str], set[str]]] = {
    EMBEDDING: ({"history"}, {"obsm_key"}),
    STABILITY: ({"runs", "ari", "neighbor_overlap", "clusters", "unsure"}, set()),
    ATTRIBUTION: ({"groups", "genes", "total", "error"}, {"difference_key"}),
    PSEUDOTIME: ({"n_pieces", "agreement"}, {"use_rep"}),
    CLUSTERS: (set(), {"use_rep", "n_clusters"}),
    MAPPING: (set(), {"method", "obsm_key"}),  # what several queries that were joined have in common
    "the record of a preprocessing": ({"target_sum", "deferred"}, set()),
    "the record of a choice of genes": ({"candidates", "morans_i"}, set()),
    GRAPH: ({"connectivities_key"}, set()),
    "a ranking of genes": ({"names", "scores"}, set()),
    "a PCA": ({"variance_ratio"}, set()),
    "a UMAP": (set(), {"a", "b"}),
}

MADE_BY = {
    EMBEDDING: ("contrastive_embed", _keys.EMBEDDING_UNS),
    CLUSTERS: ("contrastive_cluster", _keys.CLUSTERS_OBS),
    STABILITY: ("stability", _keys.STABILITY_UNS),
    ATTRIBUTION: ("gene_attribution", _keys.ATTRIBUTION),
    PSEUDOTIME: ("contrastive_pseudotime", _keys.PSEUDOTIME_OBS),
}
"""Which function of `tl` writes it, and under which name where it was told none."""


def find_record(adata: AnnData, key: str, kind: str, *, hint: str = "") -> Mapping[str, Any]:
    """Return the record of a kind in `uns[key]`, or say what to call; `hint` ends the message where there is none.

    Raises
    ------
    TypeError
        Where `adata` is no AnnData.
    KeyError
        Where there is nothing.
    ValueError
        Where there is something else.
    """
    check_adata(adata)
    name, usual = MADE_BY[kind]
    made_by = f"scclr_ext.tl.{name}"
    if key not in adata.uns:
        msg = (
            f"adata.uns has no {key!r} (it has: {names(adata.uns)}). Call {made_by}(adata) first, or give the name it "
            f"was told in `key_added` as `key`.{hint}"
        )
        raise KeyError(msg)
    record: Any = adata.uns[key]
    if kind == EMBEDDING and is_record(record, REMAINS):
        msg = f"adata.uns[{key!r}] is {REMAINS}. {TOGETHER}"
        raise ValueError(msg)
    if not is_record(record, kind):
        msg = (
            f"adata.uns[{key!r}] is not {kind}; give as `key` the name that {made_by} was told in `key_added`, or "
            f"{usual!r} where it was told none."
        )
        raise ValueError(msg)
    return record


def is_record(record: Any, kind: str) -> bool:
    """Whether an entry of `uns` is a record of this kind."""
    return _kind_of(record) == kind


def embedding_params(record: Any) -> Mapping[str, Any]:
    """Return the parameters of an embedding's record, or what is left of those of several; none for anything else."""
    return record["params"] if _kind_of(record) in {EMBEDDING, REMAINS} else {}


def check_free(adata: AnnData, key: str, kind: str, *, asked: bool = True) -> None:
    """Refuse to write a record of this kind over one of another kind, where `key_added` asked for it or anyway.

    Raises
    ------
    ValueError
        Where one is there.
    """
    found = "what tells scanpy of logarithms" if key == _keys.LOG1P_UNS else _kind_of(adata.uns.get(key))
    found = EMBEDDING if found == REMAINS and kind == EMBEDDING else found  # nothing is lost
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
    if _is_left_of_several(record, params):
        return REMAINS
    fits = (kind for kind, (own, of_params) in _HOLD.items() if own <= set(record) and of_params <= set(params))
    return next(fits, None)


def _is_left_of_several(record: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Whether joining (`anndata.concat`) has kept of several records what they have in common.

    That is settings and the numbers of the steps, at most; no two trainings have the losses and the means in common.
    """
    history = record.get("history")
    lost = "mean" not in record and not (isinstance(history, Mapping) and "loss" in history)
    return lost and "schema_version" in record and "obsm_key" in params
