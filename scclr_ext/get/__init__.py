"""The tables behind the figures, and readers for what the package wrote to an AnnData."""

from __future__ import annotations

from scclr_ext.get._embedding_qc import EmbeddingQC, embedding_qc

__all__ = ["EmbeddingQC", "embedding_qc"]
