"""Attribution to genes: simulated drivers are found, contributions sum up, and nothing changes on failure."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze, freeze_adata, unchanged
from joined import joined
from scclr_ext._stale import training_of
from scclr_ext.engine.methods import METHODS, ClearConfig, ScclrConfig
from scclr_ext.tl import _gene_attribution, contrastive_embed, gene_attribution
from scclr_ext.tl._attribution import inputs as _attribution_input

pytestmark = pytest.mark.filterwarnings("ignore:Do not trust:UserWarning")

QUICK = {"device": "cpu", "progress": False}
N_GENES, N_DRIVERS = 60, 8


@pytest.fixture(scope="module")
def _embedded() -> ad.AnnData:
    """150 cells of three types; genes 0-7 mark the first, 8-15 the second, the third has neither; two runs differ."""
    rng = np.random.default_rng(0)
    kind, run = np.arange(150) % 3, np.arange(150) // 3 % 2
    rates = np.full((150, N_GENES), 1.0)
    for i in range(2):
        rates[kind == i, i * N_DRIVERS : (i + 1) * N_DRIVERS] = 6.0
    rates[run == 1, -5:] *= 5  # what tells the runs apart
    obs = pd.DataFrame({"type": pd.Categorical([f"t{i}" for i in kind]), "run": [f"r{i}" for i in run]})
    obs.index = [f"c{i}" for i in range(150)]
    var = pd.DataFrame(index=[f"g{i}" for i in range(N_GENES)])
    adata = ad.AnnData(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)), obs=obs, var=var)
    clr.pp.contrastive_preprocess(adata)
    adata.var["highly_variable"] = np.arange(N_GENES) % 20 != 19  # three genes the network does not see
    contrastive_embed(adata, "scclr", n_steps=240, **QUICK)
    return adata


@pytest.fixture
def embedded(_embedded) -> ad.AnnData:
    return _embedded.copy()


def attribute(adata, *args, **options):
    return gene_attribution(adata, *args, **{**QUICK, **options})


def top(adata, group, n=N_DRIVERS, key="clr_attribution") -> set[str]:
    return set(clr.get.gene_attribution(adata, group, n_genes=n, key=key)["gene"])


# What is found


RANDOM_START = ScclrConfig(start_from_pca=False)
"""From the principal components the network takes up the runs as well, unless it is told of them."""


@pytest.mark.parametrize(
    ("method", "batch_key"),
    [
        (RANDOM_START, None),
        ("scclr", "run"),
        ("clear", None),
        ("clear", "run"),
        ("contrastive-sc", None),
        ("contrastive-sc", "run"),
    ],
)
def test_simulated_drivers_are_found(embedded, method, batch_key) -> None:
    contrastive_embed(embedded, method, n_steps=120, batch_key=batch_key, **QUICK)
    attribute(embedded, "type")
    for i in range(2):
        true = {f"g{j}" for j in range(i * N_DRIVERS, (i + 1) * N_DRIVERS)}
        assert len(top(embedded, f"t{i}") & true) >= 6
    # The third type is known by what it lacks.
    lacking = clr.get.gene_attribution(embedded, "t2", n_genes=10)
    assert (lacking["difference"] < 0).mean() > 0.7
    assert len(set(lacking["gene"]) & {f"g{j}" for j in range(2 * N_DRIVERS)}) >= 7


def test_drivers_come_first_by_default(embedded) -> None:
    attribute(embedded, "type")
    for i in range(2):
        assert top(embedded, f"t{i}") == {f"g{j}" for j in range(i * N_DRIVERS, (i + 1) * N_DRIVERS)}


def test_all_cells_together(embedded) -> None:
    attribute(embedded, batch_key=None)
    record = embedded.uns["clr_attribution"]
    assert record["groups"].tolist() == ["all cells"]
    drivers = {f"g{j}" for j in range(2 * N_DRIVERS)} | {f"g{j}" for j in range(N_GENES - 5, N_GENES)}
    assert len(top(embedded, "all cells", 15) & drivers) >= 12
    assert not embedded.varm["clr_attribution_difference"].any()


def test_contributions_sum_to_the_change(embedded) -> None:
    attribute(embedded, "type", n_steps=128)
    rep = embedded.obsm["X_clr"].astype(np.float64)
    model = clr.io._get_model.get_model(embedded).trained
    x = embedded[:, embedded.var["highly_variable"]].X.toarray()
    for column, name in enumerate(embedded.uns["clr_attribution"]["groups"]):
        own = (embedded.obs["type"] == name).to_numpy()
        axis = rep[own].mean(axis=0) - rep[~own].mean(axis=0)
        axis /= np.linalg.norm(axis)
        origin = model.embed(x[~own].mean(axis=0, keepdims=True).astype(np.float32), device="cpu")[0]
        change = ((rep[own] - origin) @ axis).mean()
        assert embedded.varm["clr_attribution"][:, column].sum() == pytest.approx(change, rel=0.01)
        assert embedded.uns["clr_attribution"]["total"][column] == pytest.approx(change, rel=1e-3)
        difference = x[own].mean(axis=0) - x[~own].mean(axis=0)
        written = embedded.varm["clr_attribution_difference"][embedded.var["highly_variable"], column]
        np.testing.assert_allclose(written, difference, atol=1e-5)
    assert (embedded.uns["clr_attribution"]["error"] < 0.01).all()


def test_a_gene_the_network_does_not_see_has_no_share(embedded) -> None:
    attribute(embedded, "type")
    unseen = ~embedded.var["highly_variable"].to_numpy()
    assert not embedded.varm["clr_attribution"][unseen].any()
    assert embedded.varm["clr_attribution"][~unseen].any(axis=1).all()


def test_one_group_as_the_reference(embedded) -> None:
    attribute(embedded, "type", reference="t2")
    assert embedded.uns["clr_attribution"]["groups"].tolist() == ["t0", "t1"]
    assert len(top(embedded, "t0") & {f"g{j}" for j in range(N_DRIVERS)}) >= 6
    attribute(embedded, "type", reference="t1", groups="t0", key_added="pair")
    assert embedded.varm["pair"].shape == (N_GENES, 1)
    attribute(embedded, "type", groups=["t0", "t2", "t0"], key_added="twice")
    assert embedded.uns["twice"]["groups"].tolist() == ["t0", "t2"]
    # Against each other, both sets of drivers count: one by its presence, one by its absence.
    pair = clr.get.gene_attribution(embedded, n_genes=12, key="pair")
    assert 3 <= (pair["difference"] < 0).sum() <= 9


def test_within_batches_what_tells_batches_apart_gets_no_share(embedded) -> None:
    # All cells of one type in one run: the run's genes look like its drivers.
    keep = (embedded.obs["type"] != "t0") | (embedded.obs["run"] == "r1")
    keep &= (np.arange(150) % 4 != 0) | (embedded.obs["type"] == "t0").to_numpy()
    some = embedded[keep].copy()
    run_genes = [f"g{j}" for j in range(N_GENES - 5, N_GENES - 1)]
    share = {}
    for batch_key in (None, "run"):
        attribute(some, "type", groups=["t0"], batch_key=batch_key)
        table = clr.get.gene_attribution(some).set_index("gene")["share"]
        share[batch_key] = table[run_genes].abs().mean()
    assert share["run"] < 0.5 * share[None]
    assert len(top(some, "t0") & {f"g{j}" for j in range(N_DRIVERS)}) >= 6


def test_a_sample_says_nearly_the_same(embedded) -> None:
    attribute(embedded, "type")
    attribute(embedded, "type", max_cells=25, key_added="some")
    assert embedded.uns["some"]["n_cells"].tolist() == [25, 25, 25]
    assert np.corrcoef(embedded.varm["clr_attribution"].ravel(), embedded.varm["some"].ravel())[0, 1] > 0.95
    again = attribute(embedded, "type", max_cells=25, key_added="some", copy=True)
    assert freeze(again.varm["some"]) == freeze(embedded.varm["some"])
    attribute(embedded, "type", max_cells=25, key_added="some", random_state=1)
    assert freeze(again.varm["some"]) != freeze(embedded.varm["some"])


def test_only_the_sample_is_read(embedded, monkeypatch) -> None:
    read, shapes = _attribution_input.read_model_input, []
    monkeypatch.setattr(
        _attribution_input, "read_model_input", lambda part, **rest: shapes.append(part.shape) or read(part, **rest)
    )
    attribute(embedded, "type", groups=["t0"], reference="t1", max_cells=25)
    assert shapes == [(50, embedded.n_vars)]


# What is written, and what it may be made from


def test_only_its_keys_are_written(embedded) -> None:
    bare = embedded.copy()
    attribute(embedded, "type", key_added="foo")
    assert list(embedded.varm) == ["foo", "foo_difference"]
    assert set(embedded.uns) - set(bare.uns) == {"foo"}
    del embedded.varm["foo"], embedded.varm["foo_difference"], embedded.uns["foo"]
    assert freeze_adata(embedded) == freeze_adata(bare)


@pytest.mark.parametrize("store", ["h5ad", "zarr"])
def test_through_a_file(embedded, tmp_path, store) -> None:
    getattr(embedded, f"write_{store}")(tmp_path / "in")
    read = getattr(ad, f"read_{store}")(tmp_path / "in")
    for adata in (read, embedded):
        attribute(adata, "type")
    np.testing.assert_array_equal(read.varm["clr_attribution"], embedded.varm["clr_attribution"])
    getattr(read, f"write_{store}")(tmp_path / "out")
    again = getattr(ad, f"read_{store}")(tmp_path / "out")
    assert_reads_back(again.uns["clr_attribution"], read.uns["clr_attribution"])
    assert clr.get.gene_attribution(again).equals(clr.get.gene_attribution(read))


def test_a_network_that_embeds_with_its_keys(embedded) -> None:
    """Only the weights that the embedding needs are kept: the query encoder's are not there."""
    contrastive_embed(embedded, ClearConfig(embed_with="key"), n_steps=60, **QUICK)
    attribute(embedded, "type")
    drivers = {f"g{i}" for i in range(2 * N_DRIVERS)}
    assert len(top(embedded, "t0") & drivers) >= N_DRIVERS - 2


def test_order_and_number_of_genes_do_not_matter(embedded) -> None:
    attribute(embedded, "type")
    moved = embedded[:, embedded.var_names[::-1]].copy()
    del moved.varm["clr_attribution"]
    attribute(moved, "type")
    np.testing.assert_allclose(moved.varm["clr_attribution"][::-1], embedded.varm["clr_attribution"], atol=1e-6)
    fewer = embedded[:, embedded.var["highly_variable"]].copy()
    attribute(fewer, "type")
    seen = embedded.varm["clr_attribution"][embedded.var["highly_variable"]]
    np.testing.assert_allclose(fewer.varm["clr_attribution"], seen, atol=1e-6)


@pytest.mark.filterwarnings("ignore:adata.X seems to be already log-transformed")
def test_values_that_were_changed_since_are_refused(embedded) -> None:
    clr.pp.contrastive_preprocess(embedded)
    sc.pp.log1p(embedded)
    with unchanged(embedded), pytest.raises(ValueError, match="logarithms of logarithms"):
        attribute(embedded, "type")


def test_copy_and_view(embedded) -> None:
    view = embedded[embedded.obs["type"] != "t2"]
    with unchanged(embedded):
        made = attribute(view, "type", copy=True)
        assert view.is_view
        assert made.uns["clr_attribution"]["groups"].tolist() == ["t0", "t1"]


def test_cells_without_a_group_are_left_out(embedded) -> None:
    attribute(embedded, "type", groups=["t0"], reference="t1")
    embedded.obs["some"] = embedded.obs["type"].where(embedded.obs["type"] != "t2")
    attribute(embedded, "some", groups=["t0"], key_added="some")
    np.testing.assert_allclose(embedded.varm["some"], embedded.varm["clr_attribution"], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groupby": "nope"}, KeyError, "groupby='nope'.*found 'type', 'run'"),
        ({"groupby": "one"}, ValueError, "groupby='one'` names 1 group.*two or more"),
        ({"groupby": "none"}, ValueError, "groupby='none'` names 0 group"),
        ({"groups": ["t9"]}, KeyError, "`groups` names 't9', which is no group; choose from 't0', 't1', 't2'"),
        ({"reference": "t9"}, KeyError, "`reference` names 't9'"),
        ({"reference": "t0", "groups": ["t0"]}, ValueError, "nothing but the reference"),
        ({"groupby": None, "groups": ["t0"]}, ValueError, "go with `groupby`"),
        ({"groupby": None, "reference": "t0"}, ValueError, "go with `groupby`"),
        ({"batch_key": "nope"}, KeyError, "batch_key='nope'"),
        ({"key": "nope"}, KeyError, r"adata\.uns has no 'nope'"),
        ({"n_steps": 0}, ValueError, "`n_steps` must be a whole number of at least 1; found 0"),
        ({"max_cells": 2.5}, ValueError, "`max_cells`"),
        ({"key_added": "a/b"}, ValueError, "`key_added`"),
        ({"random_state": -1}, ValueError, "`random_state`"),
        ({"device": "abacus"}, ValueError, "`device='abacus'`"),
    ],
)
def test_refused(embedded, options, error, message) -> None:
    embedded.obs["one"], embedded.obs["none"] = "same", np.nan
    with unchanged(embedded), pytest.raises(error, match=message):
        attribute(embedded, **{"groupby": "type", **options})


def test_scaled_values_are_refused(embedded) -> None:
    embedded.X = embedded.X.toarray() - 0.5
    with unchanged(embedded), pytest.raises(ValueError, match=r"adata\.X has negative values"):
        attribute(embedded, "type")


def test_without_weights_or_genes(embedded) -> None:
    fewer = embedded[:, 3:].copy()
    with unchanged(fewer), pytest.raises(KeyError, match="lacks 3 of the 57 genes of the network.*'g0'"):
        attribute(fewer, "type")
    contrastive_embed(embedded, n_steps=1, keep_weights=False, **QUICK)
    with unchanged(embedded), pytest.raises(clr.io.ModelError, match="no weights"):
        attribute(embedded, "type")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("stage", ["read_cells", "_per_gene", "_warn_of_error", "writable"])
def test_interruption_changes_nothing(embedded, monkeypatch, stage, error) -> None:
    def stop(*args, **options):
        raise error

    monkeypatch.setattr(_gene_attribution, stage, stop)
    with unchanged(embedded), pytest.raises(error):
        attribute(embedded, "type")


def test_too_few_points_are_said(embedded) -> None:
    config = METHODS["contrastive-sc"].presets["code"]
    contrastive_embed(embedded, config, n_steps=60, learning_rate=0.01, **QUICK)
    with pytest.warns(UserWarning, match=r"miss the change they should sum to by \d+%; raise `n_steps`") as caught:
        attribute(embedded, n_steps=1)
    [ours] = [warning for warning in caught if "raise `n_steps`" in str(warning.message)]
    assert Path(ours.filename).name == Path(__file__).name


def test_a_measurement_makes_no_groups(embedded) -> None:
    embedded.obs["size"] = np.random.default_rng(0).random(embedded.n_obs)
    with unchanged(embedded), pytest.raises(ValueError, match=r"obs\['size'\] \(`groupby`\) holds .*measurement"):
        attribute(embedded, "size")


@pytest.mark.parametrize("how", ["same", "unique"])
def test_embeddings_that_were_joined_have_no_network(counts, how) -> None:
    both = joined(counts, how)
    with unchanged(both), pytest.raises(clr.io.ModelError, match=r"'clr'\] is what is left of .*tl\.map_query"):
        attribute(both)


def test_the_training_is_noted(embedded) -> None:
    contrastive_embed(embedded, n_steps=2, key_added="other", **QUICK)
    for key in ("clr", "other"):
        attribute(embedded, n_steps=2, key=key)
        assert embedded.uns["clr_attribution"]["params"]["training"] == training_of(embedded.uns[key])
