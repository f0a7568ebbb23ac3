"""The networks: from a standardised minibatch to a representation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.nn.utils import skip_init

if TYPE_CHECKING:
    from collections.abc import Sequence

Init = Literal["uniform", "xavier"]


class Standardize(nn.Module):
    """Centre, scale and clip genes, per minibatch and on the device.

    Parameters
    ----------
    mean, std
        Per gene, shape ``(genes,)``. A gene that never varies keeps its scale.
    max_value
        Standardised values are clipped to ``[-max_value, max_value]``; no clipping where None.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, mean: np.ndarray, std: np.ndarray, *, max_value: float | None = None) -> None:
        super().__init__()
        self.max_value = max_value
        spread = np.where(np.asarray(std) > 0, std, 1.0).astype(np.float64)
        self.register_buffer("scale", torch.as_tensor(1 / spread, dtype=torch.float32))
        self.register_buffer("shift", torch.as_tensor(-np.asarray(mean) / spread, dtype=torch.float32))

    def forward(self, x: Tensor, genes: Tensor | None = None) -> Tensor:
        """Map values of shape ``(cells, genes)`` to standardised ones; `genes` says which these are if not all."""
        shift, scale = (self.shift, self.scale) if genes is None else (self.shift[genes], self.scale[genes])
        z = torch.addcmul(shift, x, scale)  # one pass over the minibatch
        return z if self.max_value is None else z.clamp_(-self.max_value, self.max_value)


def mlp(
    sizes: Sequence[int],
    generator: Generator,
    *,
    batch_norm: bool = False,
    last_relu: bool = False,
    init: Init = "uniform",
    start: np.ndarray | None = None,
) -> nn.Sequential:
    """Stack linear layers with ReLU, and optionally batch normalisation, between them.

    Parameters
    ----------
    sizes
        Width of the input and of each layer.
    generator
        Draws the weights; on the CPU, so that they are the same on every device.
    batch_norm
        Normalise before each ReLU (never after the last linear layer).
    last_relu
        End with a ReLU, as CLEAR's encoder does.
    init
        `"uniform"` is PyTorch's own default for linear layers, `"xavier"` that of contrastive-sc.
    start
        Directions in the input, shape ``(directions, inputs)``, towards which the weights of the first layer lean.
    """
    layers: list[nn.Module] = []
    n_layers = len(sizes) - 1
    for i, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), start=1):
        layer = _linear(n_in, n_out, generator, init)
        if i == 1 and start is not None and layer.weight.device.type != "meta":
            _lean(layer, torch.as_tensor(start, dtype=torch.float32), generator)
        layers.append(layer)
        if i < n_layers:
            layers += [nn.BatchNorm1d(n_out), nn.ReLU()] if batch_norm else [nn.ReLU()]
        elif last_relu:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def _linear(n_in: int, n_out: int, generator: Generator, init: Init) -> nn.Linear:
    # skip_init: the constructor would draw from torch's global generator, which belongs to the user.
    # Weights are drawn on the CPU, except where a network is only sketched, to learn its shapes.
    where = "meta" if torch.empty(0).device.type == "meta" else "cpu"
    layer: nn.Linear = skip_init(nn.Linear, n_in, n_out, device=where)
    bound = n_in**-0.5
    if init == "xavier":
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    else:
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer


@torch.no_grad()
def _lean(layer: nn.Linear, directions: Tensor, generator: Generator) -> None:
    """Make each unit's weights half what they are, half a random mixture of directions, and as long as they were."""
    mixtures = torch.randn(layer.out_features, len(directions), generator=generator) @ directions
    length = layer.weight.norm(dim=1, keepdim=True)
    leaning = F.normalize(layer.weight, dim=1) + F.normalize(mixtures, dim=1)
    layer.weight.copy_(F.normalize(leaning, dim=1) * length)
