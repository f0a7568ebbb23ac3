"""What a minibatch tells of the state of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNIFORMITY_SCALE = 2.0
_TOO_SHORT = 50
"""Steps before which a loss near chance means nothing."""
_NEAR_CHANCE = 0.95
_LOWEST_RANK = 1.5
_LATEST = 5
"""Rows of the history."""


@torch.no_grad()
def diagnose(first: Tensor, second: Tensor) -> dict[str, float]:
    """Alignment, uniformity and effective rank of two views' normalised representations.

    Parameters
    ----------
    first, second
        Unit vectors of the same cells, shape ``(cells, dimensions)``.

    Notes
    -----
    The definitions are those of :mod:`scclr_ext.metrics`, on tensors; a test compares the two.
    """
    first, second = first.float(), second.float()
    n = len(first)
    alignment = (first - second).pow(2).sum(1).mean()
    nearness = (2 - 2 * (first @ first.T)).mul_(-_UNIFORMITY_SCALE).exp_().fill_diagonal_(0)
    uniformity = (nearness.sum() / (n * (n - 1))).log() if n > 1 else first.new_zeros(())
    both = torch.stack([alignment, uniformity]).tolist()  # two numbers, one wait for a GPU
    return {"alignment": both[0], "uniformity": both[1], "effective_rank": _effective_rank(first)}


def _effective_rank(z: Tensor) -> float:
    values = torch.linalg.svdvals((z - z.mean(0)).cpu())  # small, and not every GPU backend has it
    total = values.sum()
    if total <= torch.finfo(values.dtype).eps * values.numel():
        return 0.0
    share = values / total
    return float(torch.special.entr(share).sum().exp())


def find_collapse(embedding: np.ndarray, history: Mapping[str, np.ndarray]) -> str | None:
    """Say what is wrong with a finished training, or None.

    Parameters
    ----------
    embedding
        What came out, shape ``(cells, dimensions)``.
    history
        The training's history.
    """
    sample = embedding[:: max(1, len(embedding) // 2000)]
    rank = _effective_rank(torch.from_numpy(np.ascontiguousarray(sample)))
    if rank < _LOWEST_RANK:
        return f"the embedding has collapsed to about {rank:.1f} directions"
    if history["step"][-1] < _TOO_SHORT:
        return None
    # Of an embedding that has linear dimensions beside, only this tells. (The median: a minibatch may be very small.)
    compared = float(np.median(history["effective_rank"][-_LATEST:]))
    if compared < _LOWEST_RANK:
        return f"the representations that the loss compares have collapsed to about {compared:.1f} directions"
    loss, chance = history["loss"][-1], history["chance"][-1]
    if loss > _NEAR_CHANCE * chance:
        return f"the loss ended at {loss:.2f}, chance is {chance:.2f}: little was learned"
    return None
