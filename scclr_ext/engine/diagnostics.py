"""What a minibatch tells of the state of a training."""

from __future__ import annotations

import torch
from torch import Tensor

_UNIFORMITY_SCALE = 2.0


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
    off_diagonal = ~torch.eye(n, dtype=torch.bool, device=first.device)
    squared = (2 - 2 * (first @ first.T))[off_diagonal]
    uniformity = squared.mul(-_UNIFORMITY_SCALE).exp().mean().log() if n > 1 else first.new_zeros(())
    return {
        "alignment": float(alignment),
        "uniformity": float(uniformity),
        "effective_rank": _effective_rank(first),
    }


def _effective_rank(z: Tensor) -> float:
    values = torch.linalg.svdvals((z - z.mean(0)).cpu())  # small, and not every GPU backend has it
    total = values.sum()
    if total <= torch.finfo(values.dtype).eps * values.numel():
        return 0.0
    share = values / total
    return float(torch.special.entr(share).sum().exp())
