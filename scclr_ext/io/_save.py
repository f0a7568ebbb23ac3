"""From a model to a folder."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scclr_ext._settings import report
from scclr_ext.io._document import from_model
from scclr_ext.io._files import DOCUMENT, REFERENCE, WEIGHTS, sha256, write_document
from scclr_ext.io._get_model import get_model
from scclr_ext.io._model import Model
from scclr_ext.io._reference import reference_of

if TYPE_CHECKING:
    import os

    from anndata import AnnData


def save(
    model: Model | AnnData,
    folder: str | os.PathLike[str],
    *,
    key: str = "clr",
    labels: str | None = None,
    overwrite: bool = False,
) -> None:
    """Keep a trained model in a folder.

    The folder holds `weights.safetensors`, `model.json` with everything else, and `reference.safetensors` where
    labelled cells go along. It appears whole or not at all: the files are written beside it and then renamed.

    Parameters
    ----------
    model
        Cells embedded by :func:`scclr_ext.tl.contrastive_embed`, or a model.
    folder
        The folder to make. Its parent must exist.
    key
        Where the AnnData's record is: the name that `contrastive_embed` was told in `key_added`.
    labels
        Column of `obs`: the embedding and the labels of the cells are saved too, so that
        :func:`scclr_ext.tl.map_query` can transfer labels from the folder alone. About 0.5 kB a cell; no
        expression values and no names of cells.
    overwrite
        Replace a model that is there. A folder with anything else in it is never replaced.

    Returns
    -------
    None.

    Raises
    ------
    KeyError
        Where the AnnData has no `uns[key]`, or no column `labels`.
    ModelError
        Where there is no model in it, one without weights, or what is left of several embeddings that were joined.
    TypeError
        Where it is neither a model nor an AnnData.
    ValueError
        Where `labels` names fewer than two labelled cells, or the embedding is not that of the record: it has other
        dimensions, or more cells.
    FileExistsError
        Where the folder exists and may not be replaced.
    OSError
        Where it cannot be written, perhaps for lack of space or permission; nothing is left behind then.

    Warns
    -----
    UserWarning
        Where labelled cells are saved, and the batches are gone that their embedding was told of.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32")
    >>> adata = ad.AnnData(counts)
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.contrastive_embed(adata, n_steps=5, progress=False, device="cpu")
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     clr.io.save(adata, pathlib.Path(parent) / "model")
    ...     sorted(p.name for p in pathlib.Path(parent, "model").iterdir())
    ['model.json', 'weights.safetensors']
    """
    found = get_model(model, key)
    if labels is not None:
        if isinstance(model, Model):
            msg = f"`labels={labels!r}` needs an AnnData to take them from; found a Model."
            raise TypeError(msg)
        found = replace(found, reference=reference_of(model, key, labels, found))
    path = Path(folder)
    _check_target(path, overwrite=overwrite)
    try:
        beside = path.parent / f".{path.name}.{secrets.token_hex(8)}"
        beside.mkdir()
        try:
            _write(found, beside)
            _move(beside, path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        msg = f"The model could not be saved to {str(folder)!r} ({error.strerror or error}); nothing was changed."
        raise OSError(error.errno, msg) from error
    report(f"saved the model to {str(folder)!r}")


def _write(model: Model, folder: Path) -> None:
    from safetensors.numpy import save as to_bytes

    weights = to_bytes({name: np.ascontiguousarray(value) for name, value in model.trained.weights.items()})
    (folder / WEIGHTS).write_bytes(weights)
    document = {**from_model(model), "weights_sha256": sha256(weights), "reference": None}
    if (cells := model.reference) is not None:
        arrays = {"embedding": cells.embedding, "codes": cells.codes, "batches": cells.batches}
        content = to_bytes({name: np.ascontiguousarray(value) for name, value in arrays.items()})
        (folder / REFERENCE).write_bytes(content)
        about = {"n_cells": len(cells.codes), "column": cells.column, "labels": list(cells.labels)}
        document["reference"] = {**about, "sha256": sha256(content)}
    write_document(folder / DOCUMENT, document)


def _check_target(path: Path, *, overwrite: bool) -> None:
    if not path.parent.is_dir():
        msg = f"The folder {str(path.parent)!r}, in which to save the model, does not exist; make it first."
        raise FileNotFoundError(msg)
    if not path.exists() and not path.is_symlink():
        return
    if path.is_symlink() or not path.is_dir() or {p.name for p in path.iterdir()} - {DOCUMENT, WEIGHTS, REFERENCE}:
        msg = f"{str(path)!r} is no model's folder, or has other files in it, and is not replaced; choose another."
        raise FileExistsError(msg)
    if not overwrite:
        msg = f"{str(path)!r} exists; pass overwrite=True to replace a model, or choose another folder."
        raise FileExistsError(msg)


def _move(new: Path, path: Path) -> None:
    """Put the new folder in the place of the old one, if there is one; on failure the old one stays."""
    if not path.exists():
        new.rename(path)
        return
    old = new.with_name(f"{new.name}.old")
    try:
        path.rename(old)
        new.rename(path)
    except BaseException:  # an interrupt, too
        if not path.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)
