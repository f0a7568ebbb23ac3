"""The cells that attributions are computed from, and along which direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scclr_ext._anndata import check_unique
from scclr_ext.engine.attribution import Attribution, integrated_gradients
from scclr_ext.engine.device import device_of
from scclr_ext.engine.source import as_source
from scclr_ext.engine.surroundings import usual_torch
from scclr_ext.io._get_model import get_model
from scclr_ext.tl._embedding.model_input import look_at_logarithms, read_model_input

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext.engine.methods import Method
    from scclr_ext.engine.source import Source
    from scclr_ext.tl._attribution.contrasts import Contrast

_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Cells:
    """A sample of cells of each group, with their mean expression and embedding per group and batch."""

    genes: np.ndarray
    method: Method[Any]
    source: Source
    codes: NDArray[np.int64]
    batches: NDArray[np.int64]
    expression: np.ndarray
    embedding: np.ndarray
    """Sums over sampled cells, shape ``(groups, batches, genes)`` and ``(groups, batches, dimensions)``."""
    weights: np.ndarray
    """Cells there are in all for each one in the sample, shape ``(groups, batches)``."""
    counts: np.ndarray
    """Cells in the sample, same shape."""

    def of(self, contrast: Contrast) -> NDArray[np.int64]:
        """Name the sampled cells of a group."""
        return np.flatnonzero(self.codes == contrast.group)

    def attribute(self, contrast: Contrast, n_steps: int) -> tuple[np.ndarray, np.ndarray, Attribution]:
        """Return each gene's contribution and its difference from the reference, and how exact the former are."""
        cells = self.of(contrast)
        batch = self.batches[cells]
        if contrast.reference:
            reference = list(contrast.reference)
            baselines = self._means(self.expression, reference)
            share = np.bincount(batch, minlength=self.counts.shape[1]) / max(1, len(cells))
            moved = self._means(self.embedding, [contrast.group]) - self._means(self.embedding, reference)
            direction = share @ moved
            length = np.linalg.norm(direction)
            direction = direction / length if length > 0 else direction
        else:
            baselines, direction = self._means(self.expression, [contrast.group]), None
        result = integrated_gradients(
            self.method, self.source, cells, baselines, direction, which=batch, n_steps=n_steps
        )
        own = self.expression[contrast.group].sum(axis=0) / max(1, len(cells))
        difference = own - baselines[batch].mean(axis=0) if contrast.reference else np.zeros(len(own))
        return result.mean, difference, result

    def _means(self, sums: np.ndarray, groups: list[int]) -> np.ndarray:
        """Average over the cells of these groups, for each batch; a batch without any takes all batches' average."""
        weights = self.weights[groups]
        total = np.einsum("gb,gbx->bx", weights, sums[groups])
        n = (weights * self.counts[groups]).sum(axis=0)
        overall = total.sum(axis=0) / max(n.sum(), 1e-12)
        return np.where(n[:, None] > 0, total / np.maximum(n, 1e-12)[:, None], overall)


@usual_torch()
def read_cells(
    adata: AnnData,
    key: str,
    labels: pd.Categorical,
    wanted: list[Contrast],
    batches: NDArray[np.int64],
    *,
    max_cells: int,
    device: str,
    random_state: int,
) -> Cells:
    """Draw cells and embed them; changes nothing.

    Raises
    ------
    KeyError
        Where a gene of the network is gone.
    """
    check_unique(adata)
    model = get_model(adata, key)
    place = adata.var_names.get_indexer(model.genes)
    if (place < 0).any():
        missing = model.genes[place < 0]
        msg = (
            f"adata lacks {len(missing)} of the {len(model.genes)} genes of the network in adata.uns[{key!r}] "
            f"({missing[0]!r}, for example); use the AnnData with all of them, or embed the cells again."
        )
        raise KeyError(msg)
    everyone = labels.codes.astype(np.int64)
    needed = sorted({code for contrast in wanted for code in (contrast.group, *contrast.reference)})
    sampled = _sample(everyone, needed, max_cells, random_state)
    shape = (len(labels.categories), int(batches.max()) + 1)
    there, counts = np.zeros(shape), np.zeros(shape)
    known = everyone >= 0
    np.add.at(there, (everyone[known], batches[known]), 1)
    codes, batches = everyone[sampled], batches[sampled]
    np.add.at(counts, (codes, batches), 1)

    # Only these cells are read. Genes by number: SciPy trips over cells by number of a view of every second gene.
    part = adata[sampled, np.arange(adata.n_vars)]
    if adata.isbacked:
        part = part.to_memory()
    layer = str(model.training["params"].get("layer", "X"))
    mask = np.zeros(adata.n_vars, dtype=bool)
    mask[place] = True
    data = read_model_input(part, layer=None if layer == "X" else layer, mask_var=mask, batch_key=None)
    look_at_logarithms(adata, data)
    where = device_of(device)
    method = model.trained.networks(device)
    # The columns come in the order of adata, the network wants its own.
    source: Source = as_source(data.matrix, where)
    order = np.argsort(np.argsort(place))
    if (order != np.arange(len(order))).any():
        source = _Reordered(source, torch.from_numpy(order).to(where))
    expression, embedding = _sums(method, source, codes, batches, shape)
    weights = np.divide(there, counts, out=np.zeros(shape), where=counts > 0)
    return Cells(model.genes, method, source, codes, batches, expression, embedding, weights, counts)


def _sample(codes: NDArray[np.int64], groups: list[int], max_cells: int, random_state: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(random_state)
    drawn = []
    for group in groups:
        cells = np.flatnonzero(codes == group)
        drawn.append(cells if len(cells) <= max_cells else rng.choice(cells, max_cells, replace=False))
    return np.sort(np.concatenate(drawn))


@torch.no_grad()
def _sums(
    method: Method[Any],
    source: Source,
    codes: NDArray[np.int64],
    batches: NDArray[np.int64],
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Add up expression and embedding per group and batch, a minibatch at a time."""
    sums: list[np.ndarray] = []
    for start in range(0, len(codes), _CHUNK):
        part = np.arange(start, min(start + _CHUNK, len(codes)))
        rows = source.rows(torch.from_numpy(part))
        values = [tensor.cpu().double().numpy() for tensor in (rows, method.represent(rows))]
        sums = sums or [np.zeros((*shape, table.shape[1])) for table in values]
        for total, table in zip(sums, values, strict=True):
            np.add.at(total, (codes[part], batches[part]), table)
    return sums[0], sums[1]


class _Reordered:
    """Rows of another source, their columns in another order."""

    def __init__(self, source: Source, order: torch.Tensor) -> None:
        self.shape = source.shape
        self._source, self._order = source, order

    def rows(self, index: torch.Tensor) -> torch.Tensor:
        """Return the cells at `index`."""
        return self._source.rows(index)[:, self._order]
