"""The same data in every place that is not memory."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anndata as ad

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACES = ["h5ad", "h5ad r+", "zarr", "lazy h5ad", "lazy zarr", "dask"]
CHUNK = 37
"""Rows in a chunk of a dask array: no number that anything here is a multiple of."""


@contextmanager
def stored(adata: ad.AnnData, place: str, folder: Path) -> Iterator[ad.AnnData]:
    """Write an AnnData and open it without loading the matrix."""
    with warnings.catch_warnings():
        # anndata 0.12 and zarr announce what their next releases will do
        warnings.simplefilter("ignore")
        if place.endswith("zarr"):
            adata.write_zarr(folder / "it.zarr")
        elif place != "dask":
            adata.write_h5ad(folder / "it.h5ad")
    if place.startswith("h5ad"):
        backed = ad.read_h5ad(folder / "it.h5ad", backed="r+" if "+" in place else "r")
        try:
            yield backed
        finally:
            backed.file.close()
    elif place == "zarr":
        import zarr

        group = zarr.open_group(folder / "it.zarr", mode="r")
        dense = isinstance(group["X"], zarr.Array)
        yield ad.AnnData(
            group["X"] if dense else ad.io.sparse_dataset(group["X"]),
            obs=ad.io.read_elem(group["obs"]),
            var=ad.io.read_elem(group["var"]),
        )
    elif place.startswith("lazy"):
        yield ad.experimental.read_lazy(folder / f"it.{place.split()[1]}")
    else:
        import dask.array as da

        lazy = adata.copy()
        lazy.X = da.from_array(adata.X, chunks=(CHUNK, adata.n_vars), asarray=False)
        yield lazy
