"""From a folder to a model."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scclr_ext.io._document import Description
from scclr_ext.io._error import ModelError
from scclr_ext.io._files import DOCUMENT, REFERENCE, WEIGHTS, read_document, read_tensors
from scclr_ext.io._model import Model, Reference

_MOST_REFERENCE_CELLS = 2**28


def load(folder: str | os.PathLike[str]) -> Model:
    """Read a model that :func:`scclr_ext.io.save` wrote.

    The files are taken for what strangers may have written: no code is run from them, sizes, names and checksums
    are checked before anything is allocated, and what is not understood is refused. Models of earlier releases can
    be read; one that a later release wrote in a newer format is refused.

    Parameters
    ----------
    folder
        The model's folder.

    Returns
    -------
    The model.

    Raises
    ------
    TypeError
        Where `folder` is no path.
    FileNotFoundError
        Where there is no such folder.
    ModelError
        Where the folder holds no model, a damaged one, one that was put together from several, or one that this
        release does not understand.

    Notes
    -----
    Two of the same weights give the same embedding to the last bit on the same machine. A checksum protects from
    accidents, not from an attacker, who would renew it; loading is safe either way.

    Examples
    --------
    >>> import scclr_ext as clr
    >>> clr.io.load("no such folder")
    Traceback (most recent call last):
    FileNotFoundError: There is no folder 'no such folder'.
    """
    if not isinstance(folder, str | os.PathLike):
        msg = f"`folder` must be the folder that scclr_ext.io.save wrote; found {type(folder).__name__}."
        raise TypeError(msg)
    path = Path(folder)
    if not path.exists():
        msg = f"There is no folder {str(folder)!r}."
        raise FileNotFoundError(msg)
    if not path.is_dir():
        msg = f"{str(folder)!r} is no folder; give the folder that scclr_ext.io.save wrote."
        raise ModelError(msg)
    document = read_document(path / DOCUMENT)
    try:
        description = Description(document)
    except ModelError as error:
        msg = f"{path / DOCUMENT}: {error}"
        raise ModelError(msg) from error
    model = description.model(read_tensors(path / WEIGHTS, description.shapes, document.get("weights_sha256")))
    if document.get("reference") is None:
        return model
    return replace(model, reference=_read_reference(path, document["reference"], model.n_dimensions))


def _read_reference(path: Path, about: Any, n_dimensions: int) -> Reference:
    msg = f"{path / DOCUMENT}: the labelled cells are not described as they should be (`reference`)."
    problem = ModelError(msg)
    if not isinstance(about, dict):
        raise problem
    n_cells, column, labels = (about.get(name) for name in ("n_cells", "column", "labels"))
    if not isinstance(n_cells, int) or not 1 <= n_cells <= _MOST_REFERENCE_CELLS or not isinstance(column, str):
        raise problem
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise problem
    shapes = {"embedding": (n_cells, n_dimensions), "codes": (n_cells,), "batches": (n_cells,)}
    cells = read_tensors(path / REFERENCE, shapes, about.get("sha256"))
    embedding, codes, batches = (cells[name] for name in ("embedding", "codes", "batches"))
    types = [embedding.dtype.str, codes.dtype.str, batches.dtype.str]
    if types != ["<f4", "<i4", "<i4"] or not np.isfinite(embedding).all():
        raise problem
    if not (-1 <= codes.min() <= codes.max() < len(labels) and 0 <= batches.min() <= batches.max() < n_cells):
        raise problem
    return Reference(embedding, column, tuple(labels), codes, batches)
