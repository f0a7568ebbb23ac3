"""Every key this package ever writes to, or reads from, an AnnData."""

from __future__ import annotations

from typing import NamedTuple

EMBEDDING_OBSM = "X_clr"
EMBEDDING_UNS = "clr"
CLUSTERS_OBS = "clr_clusters"
PREPROCESS_UNS = "clr_preprocess"
DROPOUT_UNS = "clr_dropout"
SIMULATION_UNS = "simulation"
STABILITY_UNS = "clr_stability"
CONSENSUS_OBS = "clr_consensus"
CONFIDENCE_OBS = "clr_confidence"
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


def embedding_keys(key_added: str | None) -> EmbeddingKeys:
    """Scanpy's rule: the default names without `key_added`, the same name in both places with it."""
    if key_added is None:
        return EmbeddingKeys(EMBEDDING_OBSM, EMBEDDING_UNS)
    return EmbeddingKeys(key_added, key_added)


class StabilityKeys(NamedTuple):
    """Where the record of repeated runs, their consensus and the confidence of each cell live."""

    uns: str
    clusters: str
    confidence: str


def stability_keys(key_added: str | None) -> StabilityKeys:
    """Name them; with `key_added` all three begin with it."""
    if key_added is None:
        return StabilityKeys(STABILITY_UNS, CONSENSUS_OBS, CONFIDENCE_OBS)
    return StabilityKeys(key_added, f"{key_added}_consensus", f"{key_added}_confidence")
