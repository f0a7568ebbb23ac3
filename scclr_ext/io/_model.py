"""A trained model as an object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from scclr_ext.engine.config import MethodConfig
    from scclr_ext.engine.model import Trained


@dataclass(frozen=True, eq=False)
class Reference:
    """Labelled reference cells that travel with a model, so that labels can be transferred without the AnnData.

    Parameters
    ----------
    embedding
        Float32, shape ``(cells, dimensions)``.
    column
        Name of the labels.
    labels
        The different labels.
    codes
        Which of them each cell has, -1 for none; int32 of shape ``(cells,)``.
    batches
        Batch of each cell, as integers from 0; all 0 where the model was trained without. Int32, shape ``(cells,)``.
    """

    embedding: np.ndarray
    column: str
    labels: tuple[str, ...]
    codes: np.ndarray
    batches: np.ndarray


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model: what :func:`scclr_ext.io.load` returns and :func:`scclr_ext.tl.map_query` takes.

    Parameters
    ----------
    method
        Name of the method.
    preset
        Name of the preset its settings equal, else `"custom"`.
    genes
        Names of the genes it sees, in order, shape ``(genes,)``.
    preprocess
        How the values it was trained on were made: `target_sum`, the library size that cells were brought to (0 where
        it is not known), before one was added and the natural logarithm taken; and `library_share`, the share of them
        in the model's genes (mean of the cells, 0 where it is not known).
    training
        How it was trained: parameters, seed, device, versions and history.
    trained
        Settings, moments of the genes and weights, as the engine takes them.
    reference
        Labelled cells, where some were saved along.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32")
    >>> adata = ad.AnnData(counts)
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.contrastive_embed(adata, "scclr", n_steps=5, progress=False, device="cpu")
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     clr.io.save(adata, pathlib.Path(parent) / "model")
    ...     model = clr.io.load(pathlib.Path(parent) / "model")
    >>> model
    Model(method='scclr', preset='custom', 40 genes, 103 dimensions, trained on 60 cells)
    """

    method: str
    preset: str
    genes: np.ndarray
    preprocess: Mapping[str, Any]
    training: Mapping[str, Any]
    trained: Trained
    reference: Reference | None = None

    @property
    def config(self) -> MethodConfig:
        """The method's settings."""
        return self.trained.config

    @property
    def mean(self) -> np.ndarray:
        """Mean of each gene in the data the model was trained on, float32 of shape ``(genes,)``."""
        return self.trained.data.mean

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of each gene there, float32 of shape ``(genes,)``."""
        return self.trained.data.std

    @cached_property
    def n_dimensions(self) -> int:
        """Dimensions of the embedding."""
        return self.trained.n_dimensions

    def __repr__(self) -> str:
        """Say what it is in one line."""
        parts = f"method={self.method!r}, preset={self.preset!r}, {len(self.genes)} genes, "
        with_cells = "" if self.reference is None else f", {len(self.reference.codes)} labelled cells"
        return f"Model({parts}{self.n_dimensions} dimensions, trained on {self.trained.data.n_cells} cells{with_cells})"
