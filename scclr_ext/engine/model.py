"""A trained model without its data: enough to embed other cells, from plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode

from scclr_ext.engine.device import device_of
from scclr_ext.engine.encoders import Standardize
from scclr_ext.engine.fit import embed
from scclr_ext.engine.methods import build
from scclr_ext.engine.source import as_source
from scclr_ext.engine.surroundings import usual_torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy import sparse

    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.engine.methods import DataInfo, Method
    from scclr_ext.engine.source import Source

_SCALING = "scaling."
"""What the data's moments say already is not kept a second time."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A method's settings, what it was told of its data, and the weights that the embedding needs.

    Heads, queues and second encoders, which only the training needs, are left out.

    Parameters
    ----------
    config
        The method's settings.
    data
        Number of cells and the genes' moments; of the components only the shape counts.
    weights
        Arrays by name, as :func:`weights_of` gives them.
    """

    config: MethodConfig
    data: DataInfo
    weights: Mapping[str, np.ndarray]

    @usual_torch()
    def networks(self, device: str = "cpu") -> Method[Any]:
        """Return the networks, ready to embed. What only the training needs has shapes but no values."""
        where = device_of(device)
        method = _sketch(self.config, self.data)
        state = {name: torch.tensor(value, device=where) for name, value in self.weights.items()}
        empty = {name: torch.empty_like(t, device=where) for name, t in method.state_dict().items() if not t.numel()}
        method.load_state_dict(empty | state, strict=False, assign=True)
        if isinstance(method.scaling, Standardize):
            moments = Standardize(self.data.mean, self.data.std, max_value=self.config.max_value)
            method.scaling = moments.to(where)
        return method.eval().requires_grad_(requires_grad=False)

    @property
    @usual_torch()
    def n_dimensions(self) -> int:
        """Dimensions of the embedding."""
        sketch = _sketch(self.config, self.data).eval()
        return sketch.represent(torch.empty(2, self.data.n_genes, device="meta")).shape[1]

    @property
    def neutral(self) -> np.ndarray:
        """What a gene that was not measured is given, float32 of shape ``(genes,)``.

        It is what a masked gene becomes in the training: zero, which after standardising is the mean.
        """
        return np.array(self.data.mean if self.config.scale else np.zeros_like(self.data.mean), dtype=np.float32)

    @usual_torch()
    def embed(
        self,
        matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array,
        *,
        places: np.ndarray | None = None,
        device: str = "auto",
    ) -> np.ndarray:
        """Embed cells; float32 of shape ``(cells, dimensions)``.

        Parameters
        ----------
        matrix
            Log-normalised values ``(cells, columns)``, dense or sparse rows.
        places
            Which of the model's genes each column holds, shape ``(columns,)``; None where they are all there, in
            order. The other genes count as masked.
        device
            As in :func:`scclr_ext.tl.contrastive_embed`.
        """
        method = self.networks(device)
        where = device_of(device)
        source = as_source(matrix, where)
        if places is not None:
            source = _Aligned(source, torch.from_numpy(places).to(where), torch.from_numpy(self.neutral).to(where))
        return embed(method, source)


class _Aligned:
    """Rows of another source, their columns put where the model expects them."""

    def __init__(self, source: Source, places: Tensor, neutral: Tensor) -> None:
        self.shape = (source.shape[0], len(neutral))
        self._source, self._places, self._neutral = source, places, neutral

    def rows(self, index: Tensor) -> Tensor:
        """Return the cells at `index`, a masked value in each gene that has no column."""
        out = self._neutral.repeat(len(index), 1)
        out[:, self._places] = self._source.rows(index)
        return out


@usual_torch()
def weights_of(method: Method[Any], n_genes: int) -> dict[str, np.ndarray]:
    """Return the weights that the embedding needs, by name."""
    # A copy: the array would share the memory of a network that may be trained on.
    return {name: weight.detach().cpu().numpy().copy() for name, weight in _needed(method, n_genes).items()}


@usual_torch()
def weight_shapes(config: MethodConfig, data: DataInfo) -> dict[str, tuple[int, ...]]:
    """Say which weights the embedding needs, and their shapes, without allocating any of them."""
    return {name: tuple(t.shape) for name, t in _needed(_sketch(config, data), data.n_genes).items()}


@torch.no_grad()
def _needed(method: Method[Any], n_genes: int) -> dict[str, Tensor]:
    """Embed two empty cells and see which weights take part."""
    cells = torch.zeros(2, n_genes, device=next(method.parameters()).device)
    with _Touched() as touched:
        method.eval().represent(cells)
    return {
        name: tensor
        for name, tensor in method.state_dict(keep_vars=True).items()
        if id(tensor) in touched.ids and tensor.numel() and not name.startswith(_SCALING)
    }


def _sketch(config: MethodConfig, data: DataInfo) -> Method[Any]:
    """Build a method's networks with shapes but no values."""
    with torch.device("meta"):
        return build(config, data, Generator("cpu"))


class _Touched(TorchFunctionMode):
    """Remembers the tensors that pass through torch's functions."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            values = value if isinstance(value, list | tuple) else (value,)
            self.ids.update(id(v) for v in values if isinstance(v, Tensor))
        return func(*args, **kwargs)
