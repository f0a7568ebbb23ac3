"""What changes when several processes share a training: every minibatch is split, every comparison is joined."""

from __future__ import annotations

import gc
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lightning_fabric import Fabric

    from scclr_ext.engine.methods import Method

T = TypeVar("T")


@contextmanager
def together() -> Iterator[None]:
    """Take leave of the other processes at the end, also where an error ends it.

    Whatever holds networks that were shared goes first, so that PyTorch's reducer is not the last to know of the
    processes' group: thrown away with it, it would hold Python's lock while it waits for a thread that waits for that.
    """
    try:
        yield
    except BaseException as error:
        known: BaseException | None = error
        while known is not None:
            traceback.clear_frames(known.__traceback__)
            known = known.__cause__ or known.__context__
        raise
    finally:
        gc.collect()
        dist.destroy_process_group()


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
    if fabric.world_size > 1:
        method.gather = _Gather.apply
        _replace_batch_norm(method)


def from_first(make: Callable[[], T], fabric: Fabric) -> T:
    """Return what the first process makes, in all of them: not every machine need see its files.

    Where it raises an OSError or ValueError, all do; alone it would leave the others waiting for it.
    """
    made: T | None = None
    error: OSError | ValueError | None = None
    if fabric.is_global_zero:
        try:
            made = make()
        except (OSError, ValueError) as raised:
            error = raised
    made, error = fabric.broadcast((made, error))
    if error is not None:
        raise error
    return cast("T", made)


def gather_rows(rows: Tensor, n_rows: int, fabric: Fabric) -> Tensor:
    """Join the parts of a table of `n_rows` rows that `Tensor.tensor_split` made; the same in every process."""
    if fabric.world_size == 1:
        return rows
    longest = -(-n_rows // fabric.world_size)
    padded = torch.zeros(longest, rows.shape[1], dtype=rows.dtype, device=fabric.device)
    padded[: len(rows)] = rows.to(fabric.device)
    parts = _all(padded)
    lengths = [len(part) for part in torch.arange(n_rows).tensor_split(fabric.world_size)]
    return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)]).cpu()


def _all(values: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, values.contiguous())
    return parts


class _Gather(torch.autograd.Function):
    """Join the rows of all processes. A process's rows get the sum of the gradients they have in all of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.n_rows = len(values)
        return torch.cat(_all(values))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[dist.get_rank() * ctx.n_rows :][: ctx.n_rows]


def _replace_batch_norm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d):
            joint = _JointBatchNorm(child.num_features, eps=child.eps, momentum=child.momentum)
            joint.weight, joint.bias = child.weight, child.bias  # one that does not learn still does not
            joint.load_state_dict(child.state_dict())
            setattr(module, name, joint)
        else:
            _replace_batch_norm(child)


class _JointBatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the statistics of all processes' cells; torch's own does that on GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        x = x.float()  # as torch does: statistics in bfloat16 would be another layer's
        everything = _Gather.apply(x)
        mean, variance = everything.mean(0), everything.var(0, correction=0)
        with torch.no_grad():
            # Called for what it does to the running statistics.
            F.batch_norm(everything, self.running_mean, self.running_var, training=True, momentum=self.momentum or 0.0)
        return (x - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias
