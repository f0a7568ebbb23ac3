"""Which of several partitions of an embedding to trust, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from scclr_ext.tl._clustering.criteria import Criteria

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Set once on all labelled sets at hand together; the result is flat around them (docs/clusters.md).
_POWER = 0.3
SHARPNESS = 0.05
_LOWEST_SEPARATION = 0.55

_CURVE_CELLS = 2_000
_AGREEMENT_CELLS = 10_000
_SAME, _OTHER = 0.9, 0.8
_MIXED = 0.02


@dataclass(frozen=True)
class Choice:
    """The chosen partition and how sure the choice is.

    Parameters
    ----------
    index
        Which candidate; -1 for a single cluster.
    table
        A row per candidate with every criterion.
    expected_ari
        Weighted mean agreement (ARI) of the chosen candidate with all: near 1 where all good candidates say the same.
    margin
        Score of the best candidate like the chosen one minus that of the best candidate unlike it.
    runner_up
        Number of clusters of the latter; 0 where there is none.
    stability
        Mean agreement (ARI) of the chosen candidate with clusterings of random subsets of the cells.
    """

    index: int
    table: pd.DataFrame
    expected_ari: float
    margin: float
    runner_up: int
    stability: float = float("nan")

    @property
    def confidence(self) -> float:
        """Geometric mean of expected agreement, stability and separation: 0 to 1, NaN for a single cluster.

        On the labelled sets at hand choices below 0.8 were often off, above 0.95 nearly always good.
        """
        if self.index < 0:
            return float("nan")
        separation = float(self.table["separation"].iloc[self.index])
        return float(np.cbrt(np.maximum(self.expected_ari, 0) * np.maximum(self.stability, 0) * separation))

    @property
    def n_clusters(self) -> int:
        """Number of clusters chosen."""
        return 1 if self.index < 0 else int(self.table["n_clusters"].iloc[self.index])

    def record(self) -> dict[str, Any]:
        """Return the choice without its table, as plain values."""
        return {
            "index": self.index,
            "n_clusters": self.n_clusters,
            "expected_ari": self.expected_ari,
            "margin": self.margin,
            "runner_up": self.runner_up,
            "stability": self.stability,
            "confidence": self.confidence,
        }


def choose_partition(
    rep: np.ndarray,
    graph: sparse.csr_matrix,
    partitions: Sequence[NDArray[np.int64]],
    *,
    batches: NDArray[np.int64] | None = None,
    sharpness: float = SHARPNESS,
    random_state: int = 0,
) -> Choice:
    """Score every candidate and take the one that agrees best with all good ones.

    A candidate's score is its modularity on the neighbour graph, which grows as clusters fill the graph's
    communities, times (to a small power) the separation that all but its worst tenth of the cells enjoy, which
    falls as soon as populations are cut in two. Neither alone will do: modularity splits tight, large populations,
    separation merges. Where no candidate's clusters are separated, the answer is one cluster.

    Parameters
    ----------
    rep
        Embedding, shape ``(cells, dimensions)``.
    graph
        Its neighbour graph, ``(cells, cells)``.
    partitions
        Candidates: cluster of each cell, numbered from 0 without gaps.
    batches
        Batch of each cell, see :func:`~scclr_ext.tl._clustering.separation.separation`.
    sharpness
        A candidate whose score is that much below the best weighs a third of it. Over a grid of resolutions, the right
        number of clusters comes many times; where each number comes once, the ones around it must weigh less.
    random_state
        Seed of the samples that are looked at.
    """
    rep = rep - rep.mean(axis=0)
    rep = rep / max(float(np.sqrt((rep**2).sum(axis=1).mean())), 1e-12)
    rng = np.random.default_rng(random_state)
    if batches is not None and _mixing(graph, batches) < _MIXED:
        batches = None  # the embedding keeps batches apart altogether: within one there is nothing to compare
    sample = rng.choice(len(rep), min(len(rep), _CURVE_CELLS), replace=False)
    criteria = Criteria(rep, graph, batches, sample, random_state)
    table = pd.DataFrame([criteria.of(labels) for labels in partitions])
    table["score"] = table["modularity"].clip(lower=0) * table["separation_q10"].clip(lower=0) ** _POWER
    valid = ((table["n_clusters"] > 1) & (table["separation"] >= _LOWEST_SEPARATION)).to_numpy()
    if not valid.any():
        table["weight"], table["expected_ari"] = 0.0, np.nan
        return Choice(-1, table, float("nan"), float("nan"), 0)

    agreement = _agreement(partitions, rng.choice(len(rep), min(len(rep), _AGREEMENT_CELLS), replace=False))
    score = np.where(valid, table["score"], -np.inf)
    weight = np.exp((score - score.max()) / sharpness)
    table["weight"] = weight / weight.sum()
    table["expected_ari"] = agreement @ table["weight"].to_numpy()
    index = int(np.argmax(np.where(valid, table["expected_ari"], -1.0)))
    like, unlike = valid & (agreement[index] > _SAME), valid & (agreement[index] < _OTHER)
    rival = int(np.argmax(np.where(unlike, score, -np.inf)))
    return Choice(
        index,
        table,
        expected_ari=float(table["expected_ari"].iloc[index]),
        margin=float(score[like].max() - score[rival]) if unlike.any() else float("inf"),
        runner_up=int(table["n_clusters"].iloc[rival]) if unlike.any() else 0,
    )


def _agreement(partitions: Sequence[NDArray[np.int64]], sample: NDArray[np.int64]) -> np.ndarray:
    """Return the adjusted Rand index of every two partitions, from one product that counts all their overlaps."""
    codes = [np.unique(labels[sample], return_inverse=True)[1] for labels in partitions]
    sizes = [int(code.max()) + 1 for code in codes]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    columns = np.column_stack(codes) + starts
    n, m = columns.shape
    member = sparse.csr_matrix((np.ones(n * m), columns.ravel(), np.arange(0, n * m + 1, m)), shape=(n, sum(sizes)))
    overlaps = (member.T @ member).tocsr()  # stays sparse: a graph in pieces may have thousands of clusters
    overlaps.data = overlaps.data * (overlaps.data - 1) / 2
    of = sparse.csr_matrix((np.ones(sum(sizes)), (np.repeat(np.arange(m), sizes), np.arange(sum(sizes)))))
    pairs = np.asarray((of @ overlaps @ of.T).todense())
    together = np.diag(pairs)
    expected = np.outer(together, together) / max(n * (n - 1) / 2, 1)
    highest = (together[:, None] + together) / 2
    with np.errstate(invalid="ignore"):  # two partitions with nothing to agree on agree
        return np.where(highest == expected, 1.0, (pairs - expected) / (highest - expected))


def _mixing(graph: sparse.csr_matrix, batches: NDArray[np.int64]) -> float:
    """Weight of the edges between batches, relative to batches that are mixed at random."""
    edges = graph.tocoo()
    across = edges.data[batches[edges.row] != batches[edges.col]].sum() / max(edges.data.sum(), 1e-12)
    share = np.bincount(batches) / len(batches)
    expected = 1 - share @ share
    return float(across / expected) if expected > 0 else 0.0
