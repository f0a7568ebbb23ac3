"""The contrastive losses; representations come in L2-normalised, shape ``(cells, dimensions)``.

They are computed in single precision even where the encoder is not: a similarity is divided by a small temperature and
exponentiated.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def _without_autocast(loss: Callable[P, Tensor]) -> Callable[P, Tensor]:
    @wraps(loss)
    def in_single_precision(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        device = next(a.device.type for a in (*args, *kwargs.values()) if isinstance(a, Tensor))
        with torch.autocast(device, enabled=False):
            return loss(*args, **kwargs)

    return in_single_precision


def unit_rows(x: Tensor) -> Tensor:
    """Scale each row to unit length, in single precision."""
    return F.normalize(x.float(), dim=1)


@_without_autocast
def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised-temperature cross entropy of SimCLR, both views as anchors.

    The loss of contrastive-sc. For each of the 2B views the positive is the other view of its cell, and the
    negatives are the 2B - 2 views of the other cells.

    Parameters
    ----------
    first, second
        The two views of the same cells.
    temperature
        Divides the cosine similarities.
    """
    n = len(first)
    z = torch.cat([first, second]) * temperature**-0.5  # not the similarities: they are many more
    logits = z @ z.T
    logits.fill_diagonal_(-torch.inf)
    target = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(logits, target)


@_without_autocast
def info_nce(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    temperature: float,
    *,
    in_batch: bool = False,
    ignore: Tensor | None = None,
) -> Tensor:
    """InfoNCE of a query against its key and a queue of negatives (CLEAR, equation 1).

    Parameters
    ----------
    anchor, positive
        Query and key representations of the same cells.
    negatives
        Keys of earlier minibatches, shape ``(queue, dimensions)``.
    temperature
        Divides the cosine similarities.
    in_batch
        Also count the keys of the other cells of the minibatch as negatives, as the paper's sum over the queue does
        (its minibatch is already enqueued); the authors' program does not.
    ignore
        Which of `negatives` do not count for which anchor, boolean of shape ``(cells, queue)``.
    """
    scaled = anchor / temperature
    if in_batch:
        logits = scaled @ torch.cat([positive, negatives]).T
        target = torch.arange(len(anchor), device=anchor.device)
    else:
        logits = torch.cat([(scaled * positive).sum(1, keepdim=True), scaled @ negatives.T], dim=1)
        target = torch.zeros(len(anchor), dtype=torch.long, device=anchor.device)
    if ignore is not None:
        logits[:, -len(negatives) :].masked_fill_(ignore, -torch.inf)
    return F.cross_entropy(logits, target)
