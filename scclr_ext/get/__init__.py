"""The tables behind the figures, and readers for what the package wrote to an AnnData."""

from scclr_ext.get._augmentation_preview import augmentation_preview
from scclr_ext.get._cluster_flow import cluster_flow
from scclr_ext.get._composition import composition
from scclr_ext.get._composition_test import composition_test
from scclr_ext.get._embedding_qc import EmbeddingQC, embedding_qc
from scclr_ext.get._gene_attribution import gene_attribution
from scclr_ext.get._n_top_genes import n_top_genes
from scclr_ext.get._pseudotime_order import pseudotime_order
from scclr_ext.get._resolution_sweep import resolution_sweep
from scclr_ext.get._scores_by_group import scores_by_group
from scclr_ext.get._scores_by_group_test import scores_by_group_test
from scclr_ext.get._stability import Stability, stability

__all__ = [
    "EmbeddingQC",
    "Stability",
    "augmentation_preview",
    "cluster_flow",
    "composition",
    "composition_test",
    "embedding_qc",
    "gene_attribution",
    "n_top_genes",
    "pseudotime_order",
    "resolution_sweep",
    "scores_by_group",
    "scores_by_group_test",
    "stability",
]
