"""What each distortion may do to a cell, held against its definition; the views are the method's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext.engine.methods import ClearConfig


@pytest.fixture
def table(counts) -> pd.DataFrame:
    clr.pp.contrastive_preprocess(counts, n_top_genes=None)
    return clr.get.augmentation_preview(counts, cells=["cell3", "cell7"]).assign(
        delta=lambda t: t["after"] - t["before"]
    )


def test_nothing_changes_and_cells_are_themselves(counts) -> None:
    clr.pp.contrastive_preprocess(counts)
    with unchanged(counts):
        table = clr.get.augmentation_preview(counts, cells=["cell3", "cell7"])
    assert table["cell"].unique().tolist() == ["cell3", "cell7"]
    genes = counts.var_names[counts.var["highly_variable"]]
    own = table[(table["cell"] == "cell7") & (table["step"] == "swap")]
    assert own["gene"].tolist() == genes.tolist()
    np.testing.assert_allclose(own["before"], counts["cell7", genes].X.toarray().ravel(), rtol=1e-6)


def test_each_step_does_what_it_is_named_for(table) -> None:
    config = ClearConfig()
    changed = table["delta"].abs() > 1e-7
    for name, rate in (("mask", config.mask_rate), ("gaussian noise", config.noise_rate), ("swap", config.swap_rate)):
        step = table[table["step"] == name]
        nonzero = (step["before"] > 0) | (name == "gaussian noise")
        assert changed[step.index][nonzero].mean() == pytest.approx(rate, abs=0.08), name
    mask = table[(table["step"] == "mask") & changed]
    assert (mask["after"] == 0).all()
    noise = table[(table["step"] == "gaussian noise") & changed]
    assert noise["delta"].std() == pytest.approx(config.noise_sd, rel=0.1)
    for _, cell in table[table["step"] == "swap"].groupby("cell"):
        np.testing.assert_array_equal(np.sort(cell["before"]), np.sort(cell["after"]))


def test_the_seed_decides_and_views_differ(counts) -> None:
    clr.pp.contrastive_preprocess(counts)
    first, again, other = (clr.get.augmentation_preview(counts, random_state=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert first["cell"].unique().tolist() != other["cell"].unique().tolist() or not first.equals(other)
    one, two = (first.loc[first["step"] == view, "after"].to_numpy() for view in ("view 1", "view 2"))
    assert (one != two).any()


def test_other_methods_and_configs(counts) -> None:
    clr.pp.contrastive_preprocess(counts)
    scclr = clr.get.augmentation_preview(counts, "scclr", cells=1)
    assert scclr["step"].unique().tolist() == ["gene subset", "view 1", "view 2"]
    assert scclr["before"].min() < 0  # it reads standardised values
    quiet = clr.get.augmentation_preview(counts, ClearConfig(noise_rate=0.0, swap_probability=0.0), cells=1)
    assert quiet["step"].unique().tolist() == ["mask", "crossover", "crossover many", "view 1", "view 2"]


def test_errors(counts) -> None:
    with pytest.raises(ValueError, match="holds raw counts"):
        clr.get.augmentation_preview(counts)
    clr.pp.contrastive_preprocess(counts)
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.augmentation_preview({})
    with pytest.raises(KeyError, match="`cells` names 'foo'"):
        clr.get.augmentation_preview(counts, cells=["cell1", "foo"])
    with pytest.raises(ValueError, match="`cells` is empty"):
        clr.get.augmentation_preview(counts, cells=[])
    twice = counts.copy()
    twice.obs_names = ["cell1", "cell1", *twice.obs_names[2:]]
    with pytest.raises(KeyError, match=r"`cells` names 'foo', which is not in"):
        clr.get.augmentation_preview(twice, cells=["foo"])
    with pytest.raises(KeyError, match=r"`cells` names 'cell1', which 2 cells have; call adata\.obs_names_make_unique"):
        clr.get.augmentation_preview(twice, cells=["cell3", "cell1"])
    for cells in (0, 201, True, 2.0, np.int64(201)):
        with pytest.raises(ValueError, match=r"`cells` must be between 1 and.*\(200\).*found "):
            clr.get.augmentation_preview(counts, cells=cells)
    with pytest.raises(ValueError, match="Unknown `method` 'foo'"):
        clr.get.augmentation_preview(counts, "foo")


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_dask_arrays_give_the_same(counts, kind: str) -> None:
    dask_array = pytest.importorskip("dask.array")
    clr.pp.contrastive_preprocess(counts)
    expected = clr.get.augmentation_preview(counts, cells=3)
    values = counts.X if kind == "sparse" else counts.X.toarray()
    counts.X = dask_array.from_array(values, chunks=(16, counts.n_vars))
    pd.testing.assert_frame_equal(clr.get.augmentation_preview(counts, cells=3), expected, rtol=1e-5)
