"""What the training loop asks of a method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from torch import Tensor, nn

from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.encoders import Standardize

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from torch import Generator

    from scclr_ext.engine.augment import Views

C = TypeVar("C", bound=MethodConfig)


def _alone(values: Tensor) -> Tensor:
    return values


class StepOutput(NamedTuple):
    """One minibatch's loss and the two normalised representations it compared, each ``(cells, dimensions)``.

    `chance` is the loss of a representation that tells nothing apart: the logarithm of the number of candidates an
    anchor is compared with, mean of the anchors.
    """

    loss: Tensor
    first: Tensor
    second: Tensor
    chance: Tensor


class DataInfo(NamedTuple):
    """What a method has to know of the data to build its networks.

    Moments are per gene; `components` are linear axes in what the networks are given, standardised genes or others,
    shape ``(components, genes)``, for methods that ask for them: those of the PCA or, with batches, what the batches
    agree on of them. `directions` are the same, each as long as it is signal: where a network may start.
    """

    n_cells: int
    mean: np.ndarray
    std: np.ndarray
    components: np.ndarray | None = None
    directions: np.ndarray | None = None

    @property
    def n_genes(self) -> int:
        """Number of genes the model sees."""
        return len(self.mean)


class Method(nn.Module, ABC, Generic[C]):
    """A way to learn a representation. Subclasses build their networks and say what a training step is.

    Parameters
    ----------
    config
        The method's settings.
    data
        Shape and moments of the data.

    Attributes
    ----------
    views
        What distorts a minibatch; subclasses set it, and `get.augmentation_preview` shows it.
    gather
        Joins representations over the processes of a run; in one process it returns what it is given.
    """

    views: Views

    def __init__(self, config: C, data: DataInfo) -> None:
        super().__init__()
        self.config = config
        self.scaling: nn.Module = (
            Standardize(data.mean, data.std, max_value=config.max_value) if config.scale else nn.Identity()
        )
        self.gather: Callable[[Tensor], Tensor] = _alone

    @abstractmethod
    def forward(
        self, x: Tensor, generator: Generator, partner: Tensor | None = None, batches: Tensor | None = None
    ) -> StepOutput:
        """Draw the views of a minibatch ``(cells, genes)`` and compare them.

        The second views are drawn from `partner`, same shape, where it is given, else from `x` as well. `batches` holds
        the batch of each cell, integers of shape ``(cells,)``, for methods that compare across minibatches.
        """

    @abstractmethod
    def represent(self, x: Tensor) -> Tensor:
        """Embed cells ``(cells, genes)`` without distortion, shape ``(cells, dimensions)``."""

    def after_step(self) -> None:
        """Do what follows an optimiser step; nothing by default."""

    def finish(self, x: Tensor) -> None:
        """Set, after the training, what depends on a sample of the cells, ``(cells, genes)``; nothing by default."""
