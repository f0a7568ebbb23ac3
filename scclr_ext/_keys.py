"""The keys that this package writes to an AnnData unless it is told other ones."""

from __future__ import annotations

from typing import NamedTuple

EMBEDDING_OBSM = "X_clr"
EMBEDDING_UNS = "clr"
CLUSTERS_OBS = "clr_clusters"
PSEUDOTIME_OBS = "clr_pseudotime"
PREPROCESS_UNS = "clr_preprocess"
LIBRARY_SIZE_OBS = "clr_library_size"
"""Sum of each cell, where normalising is left to whoever reads the values."""
DROPOUT_UNS = "clr_dropout"
N_TOP_GENES_UNS = "clr_n_top_genes"
SIMULATION_UNS = "simulation"
ATTRIBUTION = "clr_attribution"
"""In `varm` and in `uns`."""
STABILITY_UNS = "clr_stability"
CONSENSUS_OBS = "clr_consensus"
CONSENSUS_CONFIDENCE_OBS = "clr_consensus_confidence"
WEIGHTS = "weights"
"""Within the record of an embedding."""

COUNTS_LAYER = "counts"
LINEAR_LAYER = "linear"
"""Where unlogged expression that is not counts (RPKM, TPM) is kept: calling it counts would be a lie."""
LOG1P_UNS = "log1p"
HIGHLY_VARIABLE_VAR = "highly_variable"


class EmbeddingKeys(NamedTuple):
    """Where one embedding and its record live."""

    obsm: str
    uns: str


def clusters_key(key_added: str | None) -> str:
    """Where the command line writes the clusters of an embedding: those of another one stay."""
    return CLUSTERS_OBS if key_added is None else f"{key_added}_clusters"


def embedding_keys(key_added: str | None) -> EmbeddingKeys:
    """Scanpy's rule: the default names without `key_added`, the same name in both places with it."""
    if key_added is None:
        return EmbeddingKeys(EMBEDDING_OBSM, EMBEDDING_UNS)
    return EmbeddingKeys(key_added, key_added)


def uns_key_of(obsm_key: str) -> str:
    """Key in `uns` of the record of an embedding in `obsm`: the rule of :func:`embedding_keys`."""
    return EMBEDDING_UNS if obsm_key == EMBEDDING_OBSM else obsm_key


class StabilityKeys(NamedTuple):
    """Where the record of repeated runs, their consensus and the confidence of each cell live."""

    uns: str
    clusters: str
    confidence: str


def stability_keys(key_added: str | None) -> StabilityKeys:
    """Name them; with `key_added` all three begin with it. `map_query` writes a confidence of its own: another word."""
    if key_added is None:
        return StabilityKeys(STABILITY_UNS, CONSENSUS_OBS, CONSENSUS_CONFIDENCE_OBS)
    return StabilityKeys(key_added, f"{key_added}_consensus", f"{key_added}_consensus_confidence")


class MappingKeys(NamedTuple):
    """Where the mapping of a query lives."""

    obsm: str
    uns: str
    label: str
    confidence: str
    novelty: str
    novel: str


def mapping_keys(key_added: str | None, obsm_key: str) -> MappingKeys:
    """Without `key_added` the embedding has the reference's name, so that both can be concatenated."""
    name = key_added if key_added is not None else EMBEDDING_UNS if obsm_key == EMBEDDING_OBSM else obsm_key
    columns = (f"{name}_{what}" for what in ("mapping", "label", "confidence", "novelty", "novel"))
    return MappingKeys(key_added or obsm_key, *columns)
