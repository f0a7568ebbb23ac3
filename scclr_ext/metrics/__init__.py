"""Scores for embeddings and clusterings: arrays in, numbers out.

Nothing here knows about AnnData, scanpy or torch. Labels may be of any type that can be compared for equality
(strings, integers, categoricals, booleans); a representation is a dense array of shape (n_cells, n_dims).
"""

from scclr_ext.metrics._adjusted_rand_index import adjusted_rand_index
from scclr_ext.metrics._alignment import alignment
from scclr_ext.metrics._batch_scores import BatchScores, batch_scores
from scclr_ext.metrics._calinski_harabasz import calinski_harabasz
from scclr_ext.metrics._effective_rank import effective_rank
from scclr_ext.metrics._normalized_mutual_info import normalized_mutual_info
from scclr_ext.metrics._silhouette import silhouette
from scclr_ext.metrics._silhouette_samples import SilhouetteSamples, silhouette_samples
from scclr_ext.metrics._singular_values import singular_values
from scclr_ext.metrics._uniformity import uniformity

__all__ = [
    "BatchScores",
    "SilhouetteSamples",
    "adjusted_rand_index",
    "alignment",
    "batch_scores",
    "calinski_harabasz",
    "effective_rank",
    "normalized_mutual_info",
    "silhouette",
    "silhouette_samples",
    "singular_values",
    "uniformity",
]
