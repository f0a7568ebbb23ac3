"""The document that describes a model: what `model.json` holds, and what the record in `uns` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext._records import REMAINS, TOGETHER, is_record
from scclr_ext.engine.methods import DataInfo
from scclr_ext.engine.model import Trained, weight_shapes
from scclr_ext.io._config import config_from
from scclr_ext.io._error import ModelError
from scclr_ext.io._model import Model
from scclr_ext.io._plain import plain

if TYPE_CHECKING:
    from scclr_ext.engine.config import MethodConfig

SCHEMA_VERSION = 1
"""Raised when a reader of the old documents could misread a new one."""
_MOST_CELLS = 2**40
_MOST_COMPONENTS = 1024
_LARGEST_WEIGHT = 2**32
_OF_PARAMS = ("method", "preset", "config", "n_cells", "n_components")


def from_record(record: Any, where: str) -> dict[str, Any]:
    """Turn the record of an embedding, `uns["clr"]`, into a document; the weights are left out."""
    params = record.get("params") if isinstance(record, Mapping) else None
    if not isinstance(params, Mapping):
        msg = f"{where} is not the record of an embedding; call scclr_ext.tl.contrastive_embed(adata) to make one."
        raise ModelError(msg)
    if is_record(record, REMAINS):
        msg = f"{where} is {REMAINS}. {TOGETHER}"
        raise ModelError(msg)
    params = plain(params)
    rest = {name: plain(value) for name, value in record.items() if name not in {"params", "weights"}}
    document = {name: params.pop(name, None) for name in _OF_PARAMS}
    for name in ("schema_version", "genes", "mean", "std", "preprocess"):
        document[name] = rest.pop(name, None)
    return document | {"training": {"params": params, **rest}}


def from_model(model: Model) -> dict[str, Any]:
    """Describe a model."""
    components = model.trained.data.components
    return {
        "schema_version": SCHEMA_VERSION,
        "method": model.method,
        "preset": model.preset,
        "config": plain(model.config.record()),
        "n_cells": model.trained.data.n_cells,
        "n_components": 0 if components is None else len(components),
        "genes": plain(model.genes),
        "mean": plain(model.mean),
        "std": plain(model.std),
        "preprocess": plain(model.preprocess),
        "training": plain(model.training),
    }


def library_share(preprocess: Mapping[str, Any]) -> Any:
    """Return the share of a cell's library in the model's genes, mean of the reference; 0 where it is not known."""
    return preprocess.get("library_share", 0.0)  # older models lack it


class Description:
    """A checked document, from which a model can be made once its weights are there.

    Parameters
    ----------
    document
        As :func:`from_record` and :func:`from_model` make it, or as a file says.

    Raises
    ------
    ModelError
        Where anything is missing, of the wrong type or out of range.
    """

    config: MethodConfig
    shapes: dict[str, tuple[int, ...]]

    def __init__(self, document: Mapping[str, Any]) -> None:
        version = document.get("schema_version")
        if not _whole(version, 1, 2**31) or version is None:
            msg = "The model does not say in which format it is written (`schema_version`)."
            raise ModelError(msg)
        if version > SCHEMA_VERSION:
            msg = (
                f"The model was written in format {version} by a newer scclr_ext; this one reads formats up to "
                f"{SCHEMA_VERSION}. Update scclr_ext."
            )
            raise ModelError(msg)
        self._document = document
        self.config = config_from(self._text("method"), self._mapping("config"))
        self.genes = _gene_names(document.get("genes"))
        n_genes = len(self.genes)
        mean, std = (_numbers(document.get(name), n_genes, name) for name in ("mean", "std"))
        if (std < 0).any():
            msg = "The model has a negative standard deviation (`std`)."
            raise ModelError(msg)
        n_cells = self._whole("n_cells", 1, _MOST_CELLS)
        n_components = self._whole("n_components", 0, _MOST_COMPONENTS)
        components = np.zeros((n_components, n_genes), dtype=np.float32) if n_components else None
        self.data = DataInfo(n_cells, mean, std, components)
        preprocess = self._mapping("preprocess")
        for name, value in (("target_sum", preprocess.get("target_sum")), ("library_share", library_share(preprocess))):
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
                msg = f"The model does not say how its values were normalised (`preprocess`, `{name}`)."
                raise ModelError(msg)
        _check_history(self._mapping("training").get("history"))
        try:
            self.shapes = weight_shapes(self.config, self.data)
        except (RuntimeError, OverflowError, ValueError) as error:
            msg = f"The model's settings ask for networks that cannot be built ({str(error).splitlines()[0][:100]})."
            raise ModelError(msg) from error
        for name, shape in self.shapes.items():
            if np.prod(shape, dtype=float) > _LARGEST_WEIGHT:
                msg = f"The model's settings ask for a weight {name!r} of shape {shape}, larger than any model's."
                raise ModelError(msg)

    def model(self, weights: Mapping[str, Any]) -> Model:
        """Put the weights in their place.

        Raises
        ------
        ModelError
            Where one is missing, too many, of the wrong shape or type, or not finite.
        """
        if set(weights) != set(self.shapes):
            odd = sorted(set(weights) ^ set(self.shapes))[0]
            what = "is missing" if odd in self.shapes else "does not belong to it"
            msg = f"The model's weight {odd[:80]!r} {what}: file and settings are not of one model."
            raise ModelError(msg)
        for name, shape in self.shapes.items():
            found = weights[name]
            if not isinstance(found, np.ndarray) or found.dtype != np.float32 or found.shape != shape:
                msg = (
                    f"The model's weight {name!r} should be float32 of shape {shape}; found "
                    f"{getattr(found, 'dtype', type(found).__name__)} of shape {np.shape(found)}."
                )
                raise ModelError(msg)
            if not np.isfinite(found).all():
                msg = f"The model's weight {name!r} holds NaN or infinite values; train the model again."
                raise ModelError(msg)
        return Model(
            method=self._text("method"),
            preset=self._text("preset"),
            genes=self.genes,
            preprocess=self._mapping("preprocess"),
            training=self._mapping("training"),
            trained=Trained(self.config, self.data, dict(weights)),
        )

    def _text(self, name: str) -> str:
        value = self._document.get(name)
        if not isinstance(value, str):
            msg = f"The model's `{name}` is missing or no text."
            raise ModelError(msg)
        return value

    def _mapping(self, name: str) -> Mapping[str, Any]:
        value = self._document.get(name)
        if not isinstance(value, Mapping):
            msg = f"The model's `{name}` is missing or no table."
            raise ModelError(msg)
        return value

    def _whole(self, name: str, low: int, high: int) -> int:
        value = self._document.get(name)
        if value is None or not _whole(value, low, high):
            msg = f"The model's `{name}` is missing or no whole number from {low} to {high}."
            raise ModelError(msg)
        return int(value)


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _gene_names(values: Any) -> np.ndarray:
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        msg = "The model's `genes` are missing or no list of names."
        raise ModelError(msg)
    if len(set(values)) < len(values):
        msg = "The model's `genes` name one gene twice."
        raise ModelError(msg)
    names = np.empty(len(values), dtype=object)  # a fixed-width array would cost as many bytes as the longest name
    names[:] = values
    return names


def _numbers(values: Any, length: int, name: str) -> np.ndarray:
    ok = isinstance(values, list) and len(values) == length
    if not ok or not all(isinstance(value, int | float) and abs(value) < 1e30 for value in values):
        msg = f"The model's `{name}` should be a list of {length} finite numbers, one for each gene."
        raise ModelError(msg)
    return np.array(values, dtype=np.float32)


def _check_history(values: Any) -> None:
    columns = list(values.values()) if isinstance(values, Mapping) else [None]
    lists = [column for column in columns if isinstance(column, list)]
    ok = len(lists) == len(columns) and len({len(column) for column in lists}) <= 1
    if not ok or not all(v is None or isinstance(v, int | float) for column in lists for v in column):
        msg = "The model's training history is no table of numbers."
        raise ModelError(msg)
