"""An h5ad file whose matrix arrives in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
from anndata.io import write_elem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Any

    import pandas as pd

    from scclr_ext.datasets._blocks import Chunk

_HDF5_CHUNK = 262_144


def write_chunks(
    path: Path,
    chunks: Iterable[Chunk],
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    uns: Callable[[int, int], dict[str, Any]],
    compression: str | None,
) -> None:
    """Write a whole h5ad file while never holding more than a chunk of its matrix.

    The file appears under its name when it is complete; if anything fails on the way, nothing is left.

    Parameters
    ----------
    path
        The file, which is replaced where it exists.
    chunks
        The rows of the matrix in order.
    obs, var
        The annotation.
    uns
        Called at the end with the number of non-zero counts and of those that were dropped.
    compression
        A filter of HDF5 for the matrix; None stores it as it is, which is fastest.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with h5py.File(unfinished, "w") as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            write_elem(file, "obs", obs)
            write_elem(file, "var", var)
            for name in ("obsm", "varm", "obsp", "varp", "layers"):
                write_elem(file, name, {})
            n_nonzero, n_dropped = _write_matrix(file.create_group("X"), chunks, (len(obs), len(var)), compression)
            write_elem(file, "uns", uns(n_nonzero, n_dropped))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_matrix(
    group: h5py.Group, chunks: Iterable[Chunk], shape: tuple[int, int], compression: str | None
) -> tuple[int, int]:
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": shape})
    options = {"shape": (0,), "maxshape": (None,), "chunks": (_HDF5_CHUNK,), "compression": compression}
    data = group.create_dataset("data", dtype=np.float32, **options)
    indices = group.create_dataset("indices", dtype=np.int32, **options)
    indptr = np.zeros(shape[0] + 1, dtype=np.int64)
    row = n_nonzero = n_dropped = 0
    for counts, dropped in chunks:
        end = n_nonzero + counts.nnz
        for dataset, part in ((data, counts.data), (indices, counts.indices)):
            dataset.resize((end,))
            dataset[n_nonzero:end] = part
        indptr[row + 1 : row + 1 + counts.shape[0]] = n_nonzero + counts.indptr[1:]
        row, n_nonzero, n_dropped = row + counts.shape[0], end, n_dropped + dropped
    group.create_dataset("indptr", data=indptr)
    return n_nonzero, n_dropped
