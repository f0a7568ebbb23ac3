"""A ring of the keys of earlier minibatches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

NO_BATCH = -1
"""Told from cells of every batch."""


class KeyQueue(nn.Module):
    """First in, first out; any minibatch size fits any queue size.

    Parameters
    ----------
    size
        Number of keys held.
    dim
        Dimensions of a key.
    generator
        Draws the random unit vectors that fill the queue before the first keys arrive.
    """

    keys: Tensor
    batches: Tensor
    position: Tensor

    def __init__(self, size: int, dim: int, generator: Generator) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(size, dim, generator=generator), dim=1))
        self.register_buffer("batches", torch.full((size,), NO_BATCH))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys: Tensor, batches: Tensor | None = None) -> None:
        """Put `keys`, ``(cells, dimensions)``, and the batches of their anchors in the place of the oldest ones."""
        size = len(self.keys)
        skipped = max(0, len(keys) - size)  # more keys than places: the last ones stay
        places = (self.position + skipped + torch.arange(len(keys) - skipped, device=keys.device)) % size
        # A new tensor, not a change in place: the loss of this step still needs the old one for its gradient.
        fresh = self.keys.clone()
        fresh[places] = keys[skipped:].to(fresh.dtype)
        self.keys = fresh
        if batches is not None:
            self.batches[places] = batches[skipped:]
        self.position.copy_((self.position + len(keys)) % size)

    def foreign(self, batches: Tensor) -> Tensor:
        """Which keys had an anchor of another batch than each cell, shape ``(cells, queue)``.

        None for a cell of no batch, and no key of no batch, as the random first ones.
        """
        other = self.batches != batches[:, None]
        return other & (self.batches != NO_BATCH) & (batches != NO_BATCH)[:, None]
