"""Figures over what `tl` wrote; each has a function in `get` that returns the tables it shows."""

from scclr_ext.pl._augmentation_preview import augmentation_preview
from scclr_ext.pl._cluster_flow import cluster_flow
from scclr_ext.pl._composition import composition
from scclr_ext.pl._embedding_qc import embedding_qc
from scclr_ext.pl._gene_attribution import gene_attribution
from scclr_ext.pl._n_top_genes import n_top_genes
from scclr_ext.pl._pseudotime_order import pseudotime_order
from scclr_ext.pl._resolution_sweep import resolution_sweep
from scclr_ext.pl._scores_by_group import scores_by_group
from scclr_ext.pl._stability import stability

__all__ = [
    "augmentation_preview",
    "cluster_flow",
    "composition",
    "embedding_qc",
    "gene_attribution",
    "n_top_genes",
    "pseudotime_order",
    "resolution_sweep",
    "scores_by_group",
    "stability",
]
