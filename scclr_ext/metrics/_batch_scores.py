from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from scclr_ext.metrics._adjusted_rand_index import adjusted_rand_index
from scclr_ext.metrics._checks import as_codes, as_representation
from scclr_ext.metrics._silhouette import silhouette

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True)
class BatchScores:
    """Cell types kept apart and batches mixed, as CLEAR reports them.

    Scores that were not asked for are `None`. :meth:`to_dict` gives them under the paper's names.
    """

    c_ari: float | None = None
    """ARI of the clusters with the cell types, -0.5 to 1."""
    one_minus_b_ari: float | None = None
    """1 - ARI of the clusters with the batches: 1 where clusters ignore the batch."""
    f1_ari: float | None = None
    """Harmonic mean of the two above, 0 to 1."""
    c_asw: float | None = None
    """Mean silhouette of the cell types, scaled to 0 to 1."""
    one_minus_b_asw: float | None = None
    """1 - mean silhouette of the batches, scaled to 0 to 1: 0.5 where batches overlap fully."""
    f1_asw: float | None = None
    """Harmonic mean of the two above, 0 to 1."""

    def to_dict(self) -> dict[str, float]:
        """Give the scores that were computed under the names of the paper.

        Examples
        --------
        >>> from scclr_ext.metrics import BatchScores
        >>> BatchScores(c_ari=1.0, one_minus_b_ari=0.5, f1_ari=2 / 3).to_dict()
        {'cARI': 1.0, '1-bARI': 0.5, 'f1_ARI': 0.6666666666666666}
        """
        names = ("cARI", "1-bARI", "f1_ARI", "cASW", "1-bASW", "f1_ASW")
        return {name: score for name, score in zip(names, asdict(self).values(), strict=True) if score is not None}


def batch_scores(
    cell_types: ArrayLike,
    batches: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    representation: ArrayLike | None = None,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: int = 0,
) -> BatchScores:
    """Score batch removal by cell type, by batch mixing and by the harmonic mean of the two.

    The six scores of CLEAR (Han et al., 2022, *Briefings in Bioinformatics* 23:bbac377, figure 3B). The paper names
    them without formulas; here, with all cells together,

    - cARI = ARI(clusters, cell types), bARI = ARI(clusters, batches),
    - cASW = (s + 1) / 2 with s the mean silhouette of the cell types in the representation, bASW the same with the
      batches,
    - f1 = 2 c (1 - b) / (c + 1 - b), with both terms first brought into 0 to 1: an ARI below chance counts as
      chance.

    Batches are scored over all cells, not within each cell type: where types differ in number between batches, even
    a perfect embedding keeps bARI and bASW above their floor. With bASW scaled this way full mixing gives
    1 - bASW = 0.5, so that f1_ASW cannot exceed 2/3 there.

    Parameters
    ----------
    cell_types
        Known cell type of each cell, shape (n_cells,).
    batches
        Batch of each cell, at least two different ones, shape (n_cells,).
    clusters
        Clusters found, shape (n_cells,): gives the three ARI scores.
    representation
        Embedding, dense, shape (n_cells, n_dims): gives the three silhouette scores.
    metric
        Distance of the silhouettes, such as `"euclidean"` or `"cosine"`.
    sample_size
        Cells used for each silhouette, at most about this many. `None` takes all.
    random_state
        Seed of that sample.

    Returns
    -------
    The scores as a :class:`~scclr_ext.metrics.BatchScores`.

    Raises
    ------
    ValueError
        If neither `clusters` nor `representation` is given, if lengths differ, if there is only one batch, or, for
        the silhouettes, if there is only one cell type or `metric` or `random_state` is invalid.
    TypeError
        If the representation is sparse or not numeric.

    Examples
    --------
    Clusters that follow the cell types, and hold both batches alike:

    >>> from scclr_ext.metrics import batch_scores
    >>> types, batches = ["B", "B", "B", "B", "T", "T", "T", "T"], [1, 1, 2, 2, 1, 1, 2, 2]
    >>> batch_scores(types, batches, clusters=[0, 0, 0, 0, 1, 1, 1, 1]).to_dict()
    {'cARI': 1.0, '1-bARI': 1.166..., 'f1_ARI': 1.0}
    >>> batch_scores(types, batches, clusters=[0, 0, 1, 1, 0, 0, 1, 1]).f1_ari
    0.0
    """
    types = as_codes(cell_types, "cell_types")
    batch = as_codes(batches, "batches", n_cells=len(types))
    if clusters is None and representation is None:
        msg = "Neither `clusters` nor `representation` is given; give clusters for ARI, a representation for ASW."
        raise ValueError(msg)
    if batch.max() == 0:
        msg = "`batches` holds only one batch; there is no mixing to score."
        raise ValueError(msg)
    c_ari = one_minus_b_ari = f1_ari = c_asw = one_minus_b_asw = f1_asw = None
    if clusters is not None:
        found = as_codes(clusters, "clusters", n_cells=len(types))
        c_ari, one_minus_b_ari = adjusted_rand_index(types, found), 1 - adjusted_rand_index(batch, found)
        f1_ari = _harmonic_mean(c_ari, one_minus_b_ari)
    if representation is not None:
        matrix = as_representation(representation)
        if types.max() == 0:
            msg = "`cell_types` holds only one type; its silhouette is undefined. Leave `representation` out."
            raise ValueError(msg)
        c_asw, b_asw = (
            (silhouette(matrix, labels, metric=metric, sample_size=sample_size, random_state=random_state) + 1) / 2
            for labels in (types, batch)
        )
        one_minus_b_asw = 1 - b_asw
        f1_asw = _harmonic_mean(c_asw, one_minus_b_asw)
    return BatchScores(
        c_ari=c_ari,
        one_minus_b_ari=one_minus_b_ari,
        f1_ari=f1_ari,
        c_asw=c_asw,
        one_minus_b_asw=one_minus_b_asw,
        f1_asw=f1_asw,
    )


def _harmonic_mean(first: float, second: float) -> float:
    # Outside 0 to 1 a harmonic mean says nothing: two negative terms would even give a positive one.
    first, second = min(1.0, max(0.0, first)), min(1.0, max(0.0, second))
    return 2 * first * second / (first + second) if first + second > 0 else 0.0
