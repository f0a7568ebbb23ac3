"""From a plan of who expresses what to sparse counts, block by block. Arrays only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from scclr_ext.datasets._random import block_generator
from scclr_ext.datasets._splat import Counts, Dropout, draw_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK = 32
"""Cells that share a random generator. Part of what a seed means: another number would give other counts."""


@dataclass(frozen=True)
class Plan:
    """Everything about an experiment but the counts: a few numbers per cell, and a few profiles per gene.

    A cell's expected counts are proportional to ``states[state] * batches[batch]``, and add up to its library size.
    """

    states: NDArray[np.float32]
    batches: NDArray[np.float32]
    state: NDArray[np.int64]
    batch: NDArray[np.int64]
    library_size: NDArray[np.float32]
    bcv_common: float
    bcv_factor: NDArray[np.float32]
    seed: int
    dropout: Dropout | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and genes."""
        return len(self.state), self.states.shape[1]


class Chunk(NamedTuple):
    """Counts of some cells, and how many non-zero counts dropout took."""

    counts: sparse.csr_matrix
    n_dropped: int


def expected_counts(plan: Plan, cells: slice) -> NDArray[np.float32]:
    """Return what each gene of each cell is expected to have before dropout."""
    means = plan.states[plan.state[cells]] * plan.batches[plan.batch[cells]]
    means *= (plan.library_size[cells] / means.sum(axis=1, dtype=np.float64)).astype(np.float32)[:, None]
    return means


def draw_chunks(plan: Plan, *, chunk_size: int, n_jobs: int) -> Iterator[Chunk]:
    """Draw the counts of all cells, about `chunk_size` cells at a time; neither number changes the counts."""
    n_blocks = -(-plan.shape[0] // BLOCK)
    per_chunk = max(1, chunk_size // BLOCK)
    starts = range(0, n_blocks, per_chunk)
    with ThreadPoolExecutor(n_jobs) if n_jobs > 1 else nullcontext() as pool:
        run = map if pool is None else pool.map
        ahead = None
        for start in starts:
            blocks = range(start, min(start + per_chunk, n_blocks))
            drawn = run(lambda block: _draw_block(plan, block), blocks)
            if pool is None:
                yield _join(list(drawn), plan.shape[1])
                continue
            # With threads the next chunk is being drawn while the caller stores this one.
            if ahead is not None:
                yield _join(list(ahead), plan.shape[1])
            ahead = drawn
        if ahead is not None:
            yield _join(list(ahead), plan.shape[1])


def _draw_block(plan: Plan, block: int) -> Counts:
    cells = slice(block * BLOCK, (block + 1) * BLOCK)
    rng = block_generator(plan.seed, block)
    dropout = plan.dropout and Dropout(*(curve[cells] for curve in plan.dropout))
    return draw_counts(expected_counts(plan, cells), plan.bcv_common, plan.bcv_factor, rng, dropout)


def _join(drawn: list[Counts], n_genes: int) -> Chunk:
    row_sizes = np.concatenate([block.row_sizes for block in drawn])
    indptr = np.concatenate([[0], np.cumsum(row_sizes)])
    values = np.concatenate([block.values for block in drawn])
    columns = np.concatenate([block.columns for block in drawn])
    counts = sparse.csr_matrix((values, columns, indptr), shape=(len(row_sizes), n_genes))
    counts.has_sorted_indices = counts.has_canonical_format = True
    return Chunk(counts, sum(block.n_dropped for block in drawn))
