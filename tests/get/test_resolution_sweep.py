"""The table of a sweep: as it was recorded, with the chosen row, also after a file; and what to run without one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext._stale import training_of
from scclr_ext.get._sweep_record import SWEEP_COLUMNS
from swept import make_swept


def test_the_table_is_the_record() -> None:
    adata = make_swept()
    with unchanged(adata):
        table = clr.get.resolution_sweep(adata)
    assert table.columns.tolist() == [*SWEEP_COLUMNS, "chosen"]
    for name, values in adata.uns["clr_clusters"]["sweep"].items():
        np.testing.assert_array_equal(table[name], values)
    assert np.flatnonzero(table["chosen"]).tolist() == [3]
    assert table["chosen"].dtype == bool
    assert table.index.name == "candidate"


def test_changing_the_table_leaves_the_record() -> None:
    adata = make_swept()
    with unchanged(adata):
        table = clr.get.resolution_sweep(adata)
        table["score"] = 0.0
        table.loc[0, "resolution"] = 7.0


def test_one_cluster_is_no_candidate() -> None:
    table = clr.get.resolution_sweep(make_swept(index=-1))
    assert not table["chosen"].any()
    assert table["expected_ari"].isna().all()


def test_a_file_in_between_and_another_key(tmp_path) -> None:
    adata = make_swept()
    adata.uns["foo"] = adata.uns.pop("clr_clusters")
    adata.write_h5ad(tmp_path / "cells.h5ad")
    before, after = (clr.get.resolution_sweep(a, key="foo") for a in (adata, read_h5ad(tmp_path / "cells.h5ad")))
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize("method", ["leiden", "kmeans"])
def test_what_contrastive_cluster_wrote(method) -> None:
    rng = np.random.default_rng(0)
    group = np.arange(240) % 3
    adata = AnnData(np.zeros((240, 0), dtype=np.float32))
    adata.obsm["X_clr"] = (rng.normal(size=(3, 8))[group] * 6 + rng.normal(size=(240, 8))).astype(np.float32)
    clr.tl.contrastive_cluster(adata, method=method)
    table = clr.get.resolution_sweep(adata)
    assert table.columns[0] == ("resolution" if method == "leiden" else "n_clusters")
    assert table.loc[table["chosen"], "n_clusters"].item() == adata.obs["clr_clusters"].nunique() == 3
    assert set(table.columns) - {"chosen"} <= set(SWEEP_COLUMNS)
    assert table["weight"].sum() == pytest.approx(1)


def test_errors_say_what_to_run(tmp_path) -> None:
    adata = make_swept()
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.resolution_sweep({})
    with pytest.raises(KeyError, match=r"no 'foo' \(it has: 'clr_clusters'\)\. Call .*contrastive_cluster.*key_added"):
        clr.get.resolution_sweep(adata, key="foo")
    adata.uns["clr"] = {"params": {"obsm_key": "X_clr"}, "history": {}}
    adata.uns["number"] = 3
    for key in ("clr", "number"):
        with pytest.raises(ValueError, match=rf"adata\.uns\['{key}'\] is not the record of a clustering"):
            clr.get.resolution_sweep(adata, key=key)
    del adata.uns["clr_clusters"]["sweep"]
    with pytest.raises(ValueError, match=r"holds no sweep.*without `resolution` and `n_clusters`"):
        clr.get.resolution_sweep(adata)


SHOW = (clr.get.resolution_sweep, lambda adata: clr.pl.resolution_sweep(adata, show=False))


@pytest.mark.parametrize("show", SHOW, ids=["get", "pl"])
def test_a_sweep_of_an_earlier_training(show) -> None:
    adata = make_swept()
    adata.uns["clr"] = {"params": {"obsm_key": "X_clr"}, "history": {"loss": np.array([2.0, 1.0])}}
    adata.uns["clr_clusters"]["params"]["training"] = training_of(adata.uns["clr"])
    show(adata)  # warnings are errors
    adata.uns["clr"]["history"]["loss"] = np.array([2.0, 1.5])
    with pytest.warns(UserWarning, match=r"'clr_clusters'\] was made from an earlier training.*_cluster\(") as caught:
        show(adata)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    del adata.uns["clr"]
    show(adata)
