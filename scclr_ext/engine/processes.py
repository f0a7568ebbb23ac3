"""What changes when several processes share a training: every minibatch is split, every comparison is joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_fabric import Fabric

    from scclr_ext.engine.methods import Method

Gather = "Callable[[Tensor], Tensor]"


def share(index: Tensor, fabric: Fabric) -> Tensor:
    """Give this process its part of a minibatch; all parts have one length, for which first cells come twice."""
    n = fabric.world_size
    if n == 1:
        return index
    size = -(-len(index) // n)
    padded = index.repeat(-(-size * n // len(index)))[: size * n]
    return padded[fabric.global_rank * size :][:size]


def connect(method: Method[Any], fabric: Fabric) -> None:
    """Let `method` compare and normalise over the cells of all processes; alone it stays as it is.

    The loss then is that of the joined minibatch in every process. Its gradient is too: each process's representations
    get gradients from the losses of all, and the mean over the processes that data parallel training takes undoes the
    sum.
    """
    if fabric.world_size == 1:
        return

    def gather(values: Tensor) -> Tensor:
        joined: Tensor = fabric.all_gather(values, sync_grads=values.requires_grad)
        return joined.flatten(0, 1)

    method.gather = gather
    _replace_batch_norm(method, gather)


def gather_rows(rows: Tensor, n_rows: int, fabric: Fabric) -> Tensor:
    """Join the parts of a table of `n_rows` rows that was split with `numpy.array_split`; the same in every process."""
    if fabric.world_size == 1:
        return rows
    longest = -(-n_rows // fabric.world_size)
    padded = torch.zeros(longest, rows.shape[1], dtype=rows.dtype, device=fabric.device)
    padded[: len(rows)] = rows.to(fabric.device)
    parts = fabric.all_gather(padded)
    lengths = [len(part) for part in torch.arange(n_rows).tensor_split(fabric.world_size)]
    return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)]).cpu()


def _replace_batch_norm(module: nn.Module, gather: Callable[[Tensor], Tensor]) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d):
            joint = JointBatchNorm(child.num_features, gather)
            joint.load_state_dict(child.state_dict())
            setattr(module, name, joint)
        else:
            _replace_batch_norm(child, gather)


class JointBatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the statistics of all processes' cells; torch's own knows GPUs only.

    Parameters
    ----------
    num_features
        Number of features.
    gather
        Joins a tensor's rows over the processes, with gradients.
    """

    def __init__(self, num_features: int, gather: Callable[[Tensor], Tensor]) -> None:
        super().__init__(num_features)
        self._gather = gather

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(cells, features)``."""
        if not self.training:
            return super().forward(x)
        everything = self._gather(x)
        mean, variance = everything.mean(0), everything.var(0, correction=0)
        with torch.no_grad():
            n = len(everything)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (n / max(n - 1, 1)), self.momentum)
            self.num_batches_tracked += 1
        return (x - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias
