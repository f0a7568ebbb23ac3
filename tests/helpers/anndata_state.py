"""Everything an AnnData holds, frozen to compare bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

_SLOTS = ("layers", "uns", "obsm", "varm", "obsp", "varp")


def freeze(value: Any) -> Any:
    """Turn a value into nested tuples that are equal only where type, dtype, order and bits are."""
    if isinstance(value, Mapping):
        return ("mapping", *((key, freeze(value[key])) for key in value))
    if sparse.issparse(value):
        fields = ("row", "col") if value.format == "coo" else ("indices", "indptr")
        return (type(value).__name__, value.shape, *(freeze(getattr(value, name)) for name in ("data", *fields)))
    if isinstance(value, pd.DataFrame):
        columns = tuple(freeze(value.iloc[:, i]) for i in range(value.shape[1]))
        return ("frame", freeze(value.columns), freeze(value.index), columns)
    if isinstance(value, pd.Series | pd.Index):
        values = value.array
        if isinstance(value.dtype, pd.CategoricalDtype):
            parts = (freeze(values.codes), freeze(np.asarray(values.categories)), values.ordered)
        else:
            parts = (freeze(np.asarray(values)),)
        return (str(value.dtype), value.name, parts)
    if isinstance(value, np.ndarray):
        content = repr(value.tolist()) if value.dtype == object else np.ma.getdata(value).tobytes()
        mask = np.ma.getmaskarray(value).tobytes() if np.ma.isMaskedArray(value) else b""
        return (type(value).__name__, str(value.dtype), value.shape, value.flags.writeable, content, mask)
    return (type(value).__name__, repr(value))


def freeze_adata(adata: AnnData) -> dict[str, Any]:
    """Freeze every part of an AnnData, by name."""
    raw = None if adata.raw is None else (freeze(adata.raw.X), freeze(adata.raw.var))
    parts = {"shape": adata.shape, "view": adata.is_view, "raw": raw, "X": None}
    if adata.X is not None:
        parts["X"] = freeze(adata.X)
    parts |= {"obs": freeze(adata.obs), "var": freeze(adata.var)}
    for slot in _SLOTS:
        mapping = getattr(adata, slot)
        parts[slot] = {key: freeze(mapping[key]) for key in mapping if key is not None}
    return parts


@contextmanager
def unchanged(*adatas: AnnData) -> Iterator[None]:
    """Check that what happens inside leaves every part of these AnnData as it was, bit for bit."""
    before = [freeze_adata(adata) for adata in adatas]
    yield
    for adata, parts in zip(adatas, before, strict=True):
        after = freeze_adata(adata)
        assert [name for name in parts if parts[name] != after[name]] == []


def assert_reads_back(read: Any, written: Any, path: str = "uns") -> None:
    """Check that what a file gave back has the structure, dtypes and values that were written."""
    if isinstance(written, Mapping):
        assert isinstance(read, Mapping), path
        assert set(read) == set(written), path
        for key in written:
            assert_reads_back(read[key], written[key], f"{path}[{key!r}]")
    elif isinstance(written, np.ndarray):
        assert isinstance(read, np.ndarray), path
        assert read.shape == written.shape, path
        if written.dtype.kind in "OU":  # text: files give it back as Python strings
            assert read.tolist() == written.tolist(), path
        else:
            assert read.dtype == written.dtype, path
            assert read.tobytes() == written.tobytes(), path
    else:
        # A number may come back as NumPy's scalar of the same kind.
        kinds = [np.asarray(value).dtype.kind for value in (read, written)]
        assert kinds[0] == kinds[1], path
        assert read == written, path
