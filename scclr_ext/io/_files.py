"""The files of a model's folder, and how they are read without trusting them."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scclr_ext.io._error import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DOCUMENT, WEIGHTS, REFERENCE = "model.json", "weights.safetensors", "reference.safetensors"
FORMAT = "scclr_ext model"
PARTS = frozenset(
    "format schema_version method preset config n_cells n_components genes mean std preprocess training "
    "weights_sha256 reference checksum".split()
)
_LARGEST_DOCUMENT = 2**27
_HEADER_PER_TENSOR, _HEADER = 512, 1024
_TYPES = {"F32": "<f4", "I32": "<i4"}


def read_bytes(path: Path, largest: int) -> bytes:
    """Read a regular file that is no larger than it can have reason to be.

    Raises
    ------
    ModelError
        Where it is missing, no regular file, too large or not readable.
    """
    try:
        if not path.is_file():  # a pipe would never end
            msg = f"{path} is missing; the folder holds no complete model."
            raise ModelError(msg)
        size = path.stat().st_size
        if size > largest:
            msg = f"{path} has {size} bytes, more than such a model can have ({largest}); it is damaged or no model."
            raise ModelError(msg)
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error})."
        raise ModelError(msg) from error


def read_document(path: Path) -> dict[str, Any]:
    """Read `model.json` and check that it is as it was written.

    Raises
    ------
    ModelError
        Where it is not.
    """
    content = read_bytes(path, _LARGEST_DOCUMENT)
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:  # JSON's and Unicode's errors are ValueErrors
        msg = f"{path} is not the description of a model ({str(error)[:100]}); it is damaged or something else."
        raise ModelError(msg) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        msg = f"{path} is not the description of a model written by scclr_ext."
        raise ModelError(msg)
    try:
        expected = checksum(document)
    except (ValueError, RecursionError) as error:
        msg = f"{path} holds what a model's description never does ({str(error)[:100]})."
        raise ModelError(msg) from error
    if unknown := sorted(set(document) - PARTS):
        msg = f"{path} has a part {unknown[0][:50]!r} that is not known here; update scclr_ext."
        raise ModelError(msg)
    if document.get("checksum") != expected:
        msg = f"{path} is not as it was written (its checksum differs): it was damaged or edited. Copy it anew."
        raise ModelError(msg)
    return document


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write `model.json`, a line for each part."""
    document = {"format": FORMAT, **document}
    document["checksum"] = checksum(document)
    lines = [f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in document.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")


def checksum(document: Mapping[str, Any]) -> str:
    """Hash what a document says, however it is laid out."""
    rest = {name: value for name, value in document.items() if name != "checksum"}
    return sha256(json.dumps(rest, sort_keys=True, allow_nan=False, separators=(",", ":")).encode())


def sha256(content: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(content).hexdigest()


def read_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]], digest: object) -> dict[str, np.ndarray]:
    """Read a safetensors file whose names and shapes are known beforehand, and whose bytes have this hash.

    Raises
    ------
    ModelError
        Where the file is not exactly that.
    """
    from safetensors import SafetensorError, deserialize

    most = sum(4 * math.prod(shape) + _HEADER_PER_TENSOR + 2 * len(name) for name, shape in shapes.items()) + _HEADER
    content = read_bytes(path, most)
    if sha256(content) != digest:
        msg = f"{path} is not the file that the model was saved with: it was damaged, or belongs to another model."
        raise ModelError(msg)
    try:
        found = dict(deserialize(content))
    except (SafetensorError, ValueError) as error:
        msg = f"{path} is no safetensors file ({error})."
        raise ModelError(msg) from error
    if set(found) != set(shapes):
        odd = sorted(set(found) ^ set(shapes))[0]
        msg = f"{path}: {odd[:80]!r} {'is missing' if odd in shapes else 'does not belong to the model'}."
        raise ModelError(msg)
    for name, shape in shapes.items():
        if tuple(found[name]["shape"]) != shape or found[name]["dtype"] not in _TYPES:
            msg = f"{path}: {name!r} should have shape {shape}; found {found[name]['dtype']} {found[name]['shape']}."
            raise ModelError(msg)
    return {
        name: np.frombuffer(tensor["data"], dtype=_TYPES[tensor["dtype"]]).reshape(shapes[name])
        for name, tensor in found.items()
    }


def _refuse(constant: str) -> None:
    msg = f"{constant} is no number"
    raise ValueError(msg)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        msg = "a name occurs twice"
        raise ValueError(msg)
    return table
