"""The tables behind the figures, and readers for what the package wrote to an AnnData."""

from __future__ import annotations

from scclr_ext.get._cluster_flow import cluster_flow
from scclr_ext.get._embedding_qc import EmbeddingQC, embedding_qc
from scclr_ext.get._resolution_sweep import resolution_sweep

__all__ = ["EmbeddingQC", "cluster_flow", "embedding_qc", "resolution_sweep"]
