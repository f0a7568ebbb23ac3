"""Which genes move cells through the embedding: integrated gradients, a minibatch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from scclr_ext.engine.surroundings import usual_torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from scclr_ext.engine.methods import Method
    from scclr_ext.engine.source import Source

_VALUES = 2_000_000
"""Values in a minibatch: memory does not grow with the number of cells or genes."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """What the genes contribute, on average over cells.

    Parameters
    ----------
    mean
        Contribution of each gene, double precision of shape ``(genes,)``.
    total
        Change of the output from the baseline to the cells.
    residual
        Mean over cells of the absolute difference between a cell's change and the sum of its contributions.
    size
        Mean over cells of the absolute change, the scale of `residual`.
    """

    mean: np.ndarray
    total: float
    residual: float
    size: float

    @property
    def error(self) -> float:
        """How far contributions are from summing to the change, as a share of it."""
        return self.residual / self.size if self.size > 0 else 0.0


@usual_torch()
def integrated_gradients(
    method: Method[Any],
    source: Source,
    cells: NDArray[np.int64],
    baselines: np.ndarray,
    direction: np.ndarray | None,
    *,
    which: NDArray[np.int64] | None = None,
    n_steps: int = 32,
) -> Attribution:
    """Attribute the movement of cells along a direction of the embedding to the genes.

    The output of a cell is its place on an axis. It is compared with that of a baseline, a made-up cell, and the
    gradient with respect to the genes is averaged along the straight line from the baseline to the cell
    (Sundararajan et al. 2017, equation 1). A gene's contribution is that average times the difference in the gene;
    contributions sum to the change of the output, but for the error of averaging over `n_steps` points.

    Parameters
    ----------
    method
        The trained networks.
    source
        Hands out the cells.
    cells
        Which of them, shape ``(cells,)``.
    baselines
        Made-up cells, shape ``(baselines, genes)``.
    direction
        Unit vector, shape ``(dimensions,)``. None gives each cell its own, from its baseline to itself: the output
        then is the distance the cell is moved.
    which
        Baseline of each cell, shape ``(cells,)``; the first for all where it is None.
    n_steps
        Points on the line, the middles of as many equal parts.
    """
    method = method.eval()
    n_genes = source.shape[1]
    # Networks that the embedding does without are never filled in.
    device = next(t.device for t in method.state_dict().values() if t.device.type != "meta")
    starts = torch.as_tensor(baselines, dtype=torch.float32, device=device)
    chosen = torch.zeros(len(cells), dtype=torch.long) if which is None else torch.from_numpy(which)
    with torch.no_grad():
        origin = method.represent(starts)
    fixed = None if direction is None else torch.as_tensor(direction, dtype=torch.float32, device=device)

    summed = torch.zeros(n_genes, dtype=torch.float64)
    total = residual = size = 0.0
    for part in torch.arange(len(cells)).split(max(1, _VALUES // n_genes)):
        rows = source.rows(torch.from_numpy(cells)[part])
        start = starts[chosen[part].to(device)]
        with torch.no_grad():
            moved = method.represent(rows) - origin[chosen[part].to(device)]
            axis = torch.nn.functional.normalize(moved, dim=1) if fixed is None else fixed.expand_as(moved)
            change = (moved * axis).sum(1).cpu().double()  # not the other way round: Apple GPUs have no float64
        contribution = _along_the_line(method, start, rows - start, axis, n_steps).cpu()
        summed += contribution.sum(0, dtype=torch.float64)
        total += float(change.sum())
        residual += float((contribution.sum(1, dtype=torch.float64) - change).abs().sum())
        size += float(change.abs().sum())
    n = max(1, len(cells))
    return Attribution(summed.numpy() / n, total / n, residual / n, size / n)


def _along_the_line(method: Method[Any], start: Tensor, step: Tensor, axis: Tensor, n_steps: int) -> Tensor:
    """Average the gradient between `start` and `start + step`, times `step`; shape ``(cells, genes)``."""
    gradient = torch.zeros_like(step)
    for i in range(n_steps):
        point = torch.add(start, step, alpha=(i + 0.5) / n_steps).requires_grad_()
        with torch.enable_grad():
            place = (method.represent(point) * axis).sum()
            gradient += torch.autograd.grad(place, point)[0]
    return gradient.mul_(step).div_(n_steps)
