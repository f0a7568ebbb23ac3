"""A collection as annbatch writes it: shuffled over several files, in zarr shards. annbatch needs Python 3.12."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pytest

import scclr_ext as clr

annbatch = pytest.importorskip("annbatch", reason="needs annbatch, which is for Python 3.12 and newer")


def embed(adata: ad.AnnData, method: str) -> np.ndarray:
    clr.pp.contrastive_preprocess(adata, method, n_top_genes=50, batch_key="batch")
    clr.tl.contrastive_embed(adata, method, batch_key="batch", n_steps=10, progress=False)
    return adata.obsm["X_clr"]


@pytest.mark.parametrize("method", ["clear", "scclr"])
def test_a_collection_gives_what_its_cells_give_in_memory(counts, tmp_path, method) -> None:
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr and anndata announce what their next releases will do
        paths = [tmp_path / "1.h5ad", tmp_path / "2.h5ad"]
        for path, cells in zip(paths, (slice(0, 120), slice(120, None)), strict=True):
            counts[cells].write_h5ad(path)
        collection = annbatch.DatasetCollection(tmp_path / "collection.zarr")
        collection.add_adatas(paths, dataset_size=100, shuffle_chunk_size=20, rng=np.random.default_rng(0))
        group = zarr.open_group(tmp_path / "collection.zarr", mode="r")
        assert len(list(group.keys())) > 1
        # The recipe of docs/large.md
        parts = [ad.experimental.read_lazy(group[name]) for name in sorted(group.keys())]
        lazy = ad.concat(parts)
        adata = ad.AnnData(lazy.X, obs=lazy.obs.to_memory(), var=lazy.var.to_memory())
    assert hasattr(adata.X, "dask")
    assert sorted(adata.obs_names) == sorted(counts.obs_names)
    loaded = counts[adata.obs_names].copy()
    assert loaded.obs_names.tolist() != counts.obs_names.tolist()
    np.testing.assert_array_equal(embed(adata, method), embed(loaded, method))
