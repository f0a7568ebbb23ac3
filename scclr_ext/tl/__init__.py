"""Tools: embed cells, map others, cluster and order them, and ask how far to trust it and which genes drive it."""

from scclr_ext.engine.methods import ClearConfig, ContrastiveSCConfig, ScclrConfig
from scclr_ext.tl._contrastive_cluster import contrastive_cluster
from scclr_ext.tl._contrastive_embed import contrastive_embed
from scclr_ext.tl._contrastive_pseudotime import contrastive_pseudotime
from scclr_ext.tl._gene_attribution import gene_attribution
from scclr_ext.tl._map_query import map_query
from scclr_ext.tl._stability import stability

__all__ = [
    "ClearConfig",
    "ContrastiveSCConfig",
    "ScclrConfig",
    "contrastive_cluster",
    "contrastive_embed",
    "contrastive_pseudotime",
    "gene_attribution",
    "map_query",
    "stability",
]
