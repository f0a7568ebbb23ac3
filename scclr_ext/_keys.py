"""Every key this package ever writes to, or reads from, an AnnData."""

from __future__ import annotations

from typing import NamedTuple

EMBEDDING_OBSM = "X_clr"
EMBEDDING_UNS = "clr"
CLUSTERS_OBS = "clr_clusters"
PREPROCESS_UNS = "clr_preprocess"
DROPOUT_UNS = "clr_dropout"

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
