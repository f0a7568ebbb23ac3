"""Tools: embed cells, cluster the embedding."""

from scclr_ext.tl._contrastive_cluster import contrastive_cluster
from scclr_ext.tl._contrastive_embed import contrastive_embed
from scclr_ext.tl._map_query import map_query
from scclr_ext.tl._stability import stability

__all__ = ["contrastive_cluster", "contrastive_embed", "map_query", "stability"]
