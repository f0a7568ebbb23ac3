"""Embedding: what is written and where, every kind of input, determinism, and nothing changed on failure."""

from __future__ import annotations

import dataclasses
import random
import tracemalloc
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze, freeze_adata, unchanged
from scclr_ext.engine.methods import METHODS
from scclr_ext.tl import contrastive_embed
from scclr_ext.tl._embedding.model_input import look_at_logarithms, read_model_input

# A training of a few steps has learned nothing, as the call rightly says.
pytestmark = pytest.mark.filterwarnings("ignore:Do not trust this embedding:UserWarning")


DIMENSIONS = {"clear": 128, "contrastive-sc": 60}
QUICK = "contrastive-sc"  # the smallest networks
PRESETS = [(method, preset) for method, row in METHODS.items() for preset in row.presets]
each_method = pytest.mark.parametrize("method", list(METHODS))


def n_dimensions(config, n_cells: int, n_genes: int) -> int:
    """Learned dimensions, and for scclr the principal components beside them."""
    return config.embedding_dim + (min(50, n_cells - 1, n_genes - 1) if getattr(config, "pca", False) else 0)


def embed(adata: ad.AnnData, method=QUICK, **options) -> ad.AnnData | None:
    if not options.keys() & {"n_steps", "n_epochs"}:
        options["n_steps"] = 2
    return contrastive_embed(adata, method, **{"device": "cpu", "progress": False, **options})


@pytest.fixture
def logged() -> ad.AnnData:
    """60 cells, 40 genes, log-normalised, sparse."""
    rng = np.random.default_rng(0)
    values = np.log1p(rng.poisson(1.0, (60, 40)) * rng.uniform(0.5, 2, (60, 1))).astype(np.float32)
    obs = pd.DataFrame({"run": np.repeat(["a", "b"], 30)}, index=[f"cell{i}" for i in range(60)])
    return ad.AnnData(sparse.csr_matrix(values), obs=obs, var=pd.DataFrame(index=[f"gene{i}" for i in range(40)]))


# What is written


@pytest.mark.parametrize(("method", "preset"), PRESETS)
def test_every_preset_embeds(logged, method, preset) -> None:
    assert embed(logged, method, preset=preset) is None
    rep = logged.obsm["X_clr"]
    assert (type(rep), rep.dtype, rep.flags.c_contiguous) == (np.ndarray, np.float32, True)
    assert rep.shape == (60, n_dimensions(METHODS[method].presets[preset], 60, 40))
    assert np.isfinite(rep).all()
    params = logged.uns["clr"]["params"]
    # n_steps is not the preset's, so that it is no longer the preset.
    assert (params["method"], params["preset"], params["n_steps"]) == (method, "custom", 2)


def test_published_dimensions(logged) -> None:
    for method, d in DIMENSIONS.items():
        embed(logged, method)
        assert logged.obsm["X_clr"].shape == (60, d)


def test_only_the_two_keys_are_written(logged) -> None:
    bare = logged.copy()
    embed(logged)
    assert list(logged.obsm) == ["X_clr"]
    assert list(logged.uns) == ["clr"]
    del logged.obsm["X_clr"], logged.uns["clr"]
    before, after = freeze_adata(bare), freeze_adata(logged)
    assert before == after


@each_method
def test_the_record(logged, method) -> None:
    embed(logged, method, n_steps=4, batch_size=16, learning_rate=0.01, random_state=7)
    record = logged.uns["clr"]
    expected = {"method": method, "obsm_key": "X_clr", "layer": "X", "mask_var": "all genes", "batch_key": ""}
    assert record["params"].items() >= expected.items()
    assert record["params"].items() >= {"n_cells": 60, "n_genes": 40, "batch_size": 16, "n_steps": 4}.items()
    config = record["params"]["config"]
    assert (config["batch_size"], config["learning_rate"], config["steps"]) == (16, 0.01, 4)
    assert "epochs" not in config  # None, which a file cannot hold
    assert record["random_state"] == 7
    assert record["device"] == "cpu"
    assert set(record["versions"]) >= {"scclr_ext", "torch"}
    assert record["versions"]["scclr_ext"] == clr.__version__
    assert record["genes"].tolist() == logged.var_names.tolist()
    values = logged.X.toarray()
    np.testing.assert_allclose(record["mean"], values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(record["std"], values.std(axis=0, ddof=1), rtol=1e-5)
    history = record["history"]
    assert {len(column) for column in history.values()} == {4}
    assert history["step"].tolist() == [1, 2, 3, 4]
    assert set(history) >= {"epoch", "loss", "learning_rate", "alignment", "uniformity", "effective_rank"}
    assert all(np.isfinite(column).all() for column in history.values())
    assert 0 < record["seconds"] < 60


@pytest.mark.parametrize("preset", ["paper", "code", None])
@pytest.mark.parametrize("recipe", ["clear", "scclr", "contrastive-sc"])
def test_a_published_preset_wants_its_own_genes(counts, recipe, preset) -> None:
    clr.pp.contrastive_preprocess(counts, recipe, n_top_genes=40)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embed(counts, "contrastive-sc", preset=preset)
        clr.tl.stability(
            counts, "contrastive-sc", preset=preset, n_seeds=2, n_steps=1, resolution=1.0, device="cpu", progress=False
        )
    said = [w for w in caught if "this is not what was published" in str(w.message)]
    assert len(said) == (2 if preset and recipe != "contrastive-sc" else 0)
    assert all(Path(w.filename).name == Path(__file__).name for w in said)
    assert all("contrastive_preprocess(adata, 'contrastive-sc')" in str(w.message) for w in said)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*published")
        embed(counts, "contrastive-sc", preset=preset, mask_var=None)  # of one's own choice
        if recipe != "contrastive-sc":
            embed(counts, "clear", preset=preset)  # scclr's recipe is the same


def test_a_preset_as_it_is_keeps_its_name(logged) -> None:
    tiny = logged[:8].copy()
    embed(tiny, QUICK, preset="code", n_epochs=30)  # what the preset says anyway
    assert tiny.uns["clr"]["params"]["preset"] == "code"
    embed(tiny, QUICK, preset="code", n_epochs=1)
    assert tiny.uns["clr"]["params"]["preset"] == "custom"


def test_key_added(logged) -> None:
    embed(logged)
    embed(logged, key_added="foo", random_state=1)
    assert set(logged.obsm) == {"X_clr", "foo"}
    assert set(logged.uns) == {"clr", "foo"}
    assert logged.uns["foo"]["params"]["obsm_key"] == "foo"
    assert (logged.obsm["foo"] != logged.obsm["X_clr"]).any()


@pytest.mark.parametrize("store", ["h5ad", "zarr"])
@each_method
def test_the_record_survives_a_file(logged, tmp_path, method, store) -> None:
    embed(logged, method, batch_key="run")
    path = tmp_path / f"out.{store}"
    getattr(logged, f"write_{store}")(path)
    read = getattr(ad, f"read_{store}")(path)
    assert_reads_back(read.uns["clr"], logged.uns["clr"])
    assert_reads_back(read.obsm["X_clr"], logged.obsm["X_clr"], "obsm")


def test_copy(logged) -> None:
    with unchanged(logged):
        made = embed(logged, copy=True)
    embed(logged)
    assert freeze(made.obsm["X_clr"]) == freeze(logged.obsm["X_clr"])


def test_a_view_becomes_data_of_its_own(logged) -> None:
    view = logged[10:50, 5:35]
    alone = view.copy()
    with unchanged(logged):
        embed(view)
    embed(alone)
    assert not view.is_view
    assert freeze(view.obsm["X_clr"]) == freeze(alone.obsm["X_clr"])


# What is read


def test_layer(logged) -> None:
    alone = logged.copy()
    logged.layers["logs"] = logged.X
    logged.X = None
    embed(logged, layer="logs")
    embed(alone)
    assert freeze(logged.obsm["X_clr"]) == freeze(alone.obsm["X_clr"])
    assert logged.uns["clr"]["params"]["layer"] == "logs"


@pytest.mark.parametrize("form", ["auto", "column", "array", "list"])
def test_mask_var(logged, form) -> None:
    mask = np.arange(40) % 3 == 0
    alone = logged[:, mask].copy()
    column = "highly_variable" if form == "auto" else "mine"
    logged.var[column] = mask
    embed(logged, mask_var={"auto": "auto", "column": "mine", "array": mask, "list": mask.tolist()}[form])
    embed(alone)
    assert freeze(logged.obsm["X_clr"]) == freeze(alone.obsm["X_clr"])
    record = logged.uns["clr"]
    assert record["genes"].tolist() == alone.var_names.tolist()
    assert record["params"]["n_genes"] == 14
    assert record["params"]["mask_var"] == {"auto": "highly_variable", "column": "mine"}.get(form, "array")


def test_mask_var_none_takes_all_genes(logged) -> None:
    logged.var["highly_variable"] = np.arange(40) < 5
    embed(logged, mask_var=None)
    assert logged.uns["clr"]["params"]["n_genes"] == 40
    assert logged.uns["clr"]["params"]["mask_var"] == "all genes"


def matrices(values: np.ndarray) -> dict[str, object]:
    csr = sparse.csr_matrix(values)
    with_zeros = sparse.csr_matrix((values.ravel(), np.tile(np.arange(40), 60), np.arange(61) * 40), shape=values.shape)
    locked = values.copy()
    locked.flags.writeable = False
    wide = csr.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    kinds = (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array)
    return {
        **{kind.__name__: kind(values) for kind in kinds},
        "stored zeros": with_zeros,
        "64-bit indices": wide,
        "float64 csr": csr.astype(np.float64),
        "ndarray": values,
        "fortran": np.asfortranarray(values),
        "float64": values.astype(np.float64),
        "read-only": locked,
        "masked": np.ma.MaskedArray(values),
    }


@pytest.mark.parametrize("masked", [False, True])
def test_every_container_gives_the_same(logged, masked) -> None:
    values = logged.X.toarray()
    logged.var["mine"] = np.arange(40) < 25
    # At this rate rounding of the genes' moments stays rounding; Adam's first steps would blow it up.
    options = {"learning_rate": 1e-6, "mask_var": "mine" if masked else None}
    embed(logged, **options)
    reference = logged.obsm["X_clr"]
    for name, matrix in matrices(values).items():
        adata = ad.AnnData(matrix, var=logged.var)
        before = freeze(matrix)
        embed(adata, **options)
        np.testing.assert_allclose(adata.obsm["X_clr"], reference, atol=1e-5, err_msg=name)
        assert freeze(matrix) == before, name


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8"])
def test_whole_numbers_are_counts(dtype) -> None:
    adata = ad.AnnData(np.random.default_rng(0).integers(0, 4, (30, 10)).astype(dtype))
    with unchanged(adata), pytest.raises(ValueError, match="raw counts"):
        embed(adata)


def test_the_layer_that_was_preprocessed_is_not_the_one_to_embed(counts) -> None:
    counts.layers["raw"] = counts.X.copy()
    clr.pp.contrastive_preprocess(counts, layer="raw")
    with unchanged(counts), pytest.raises(ValueError, match=r"layers\['raw'\] holds raw counts.*leave `layer` out"):
        embed(counts, layer="raw")


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_every_dtype(dtype) -> None:
    values = (np.random.default_rng(0).integers(0, 4, (30, 10)) / 4).astype(dtype)
    adata, as_float = ad.AnnData(values), ad.AnnData(values.astype(np.float32))
    embed(adata)
    embed(as_float)
    assert freeze(adata.obsm["X_clr"]) == freeze(as_float.obsm["X_clr"])
    assert adata.X.dtype == dtype


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("kind", ["csr_matrix", "ndarray"])
def test_a_file_is_read(logged, tmp_path, kind, mode) -> None:
    in_memory = logged if kind == "csr_matrix" else ad.AnnData(logged.X.toarray(), obs=logged.obs, var=logged.var)
    in_memory.write_h5ad(tmp_path / "in.h5ad")
    backed = ad.read_h5ad(tmp_path / "in.h5ad", backed=mode)
    mask = np.arange(40) < 25
    try:
        embed(backed, mask_var=mask)
        assert backed.isbacked
    finally:
        backed.file.close()
    embed(in_memory, mask_var=mask)
    assert freeze(backed.obsm["X_clr"]) == freeze(in_memory.obsm["X_clr"])


def test_a_view_of_a_file_is_read(logged, tmp_path) -> None:
    logged.write_h5ad(tmp_path / "in.h5ad")
    backed = ad.read_h5ad(tmp_path / "in.h5ad", backed="r")
    view, alone = backed[:40], logged[:40].copy()
    try:
        embed(view)
    finally:
        backed.file.close()
    embed(alone)
    assert freeze(view.obsm["X_clr"]) == freeze(alone.obsm["X_clr"])


BATCHES = {
    "two": ["a"] * 30 + ["b"] * 30,
    "one": ["a"] * 60,
    "a single cell": ["a"] * 59 + ["b"],
    "single cells": [f"run{max(0, i - 30)}" for i in range(60)],
    "pairs": [f"run{i // 2}" for i in range(60)],
    "numbers": [1] * 20 + [2] * 40,
    "booleans": [True] * 20 + [False] * 40,
    "unused": pd.Categorical(["a"] * 20 + ["b"] * 40, categories=["c", "b", "a"]),
    "odd names": ["ä/ö"] * 20 + [""] * 40,
}


@each_method
@pytest.mark.parametrize("batches", list(BATCHES))
def test_batches_of_any_kind(logged, method, batches) -> None:
    logged.obs["run"] = BATCHES[batches]
    embed(logged, method, batch_key="run", batch_size=16)
    assert np.isfinite(logged.obsm["X_clr"]).all()
    assert logged.uns["clr"]["params"]["batch_key"] == "run"


def test_minibatches_come_from_one_batch(logged, monkeypatch) -> None:
    from scclr_ext.engine import sampling

    seen = []
    epoch = sampling.WithinBatches.epoch

    def spy(self, generator):
        for cells in epoch(self, generator):
            seen.append(cells.numpy())
            yield cells

    monkeypatch.setattr(sampling.WithinBatches, "epoch", spy)
    embed(logged, batch_key="run", batch_size=10, n_steps=12)
    assert len(seen) == 12
    assert all(logged.obs["run"].iloc[cells].nunique() == 1 for cells in seen)
    assert {logged.obs["run"].iloc[cells[0]] for cells in seen} == {"a", "b"}


# Numbers of cells and lengths of training


@each_method
@pytest.mark.parametrize("n_cells", [2, 3, 5])
def test_very_few_cells(logged, method, n_cells) -> None:
    few = logged[:n_cells].copy()
    embed(few, method)
    assert few.obsm["X_clr"].shape[0] == n_cells
    assert np.isfinite(few.obsm["X_clr"]).all()
    assert few.uns["clr"]["params"]["batch_size"] == n_cells  # fewer cells than a batch


@each_method
@pytest.mark.parametrize("batch_size", [59, 60, 61, 58, 2, 19])
def test_any_batch_size(logged, method, batch_size) -> None:
    embed(logged, method, batch_size=batch_size, n_epochs=1)  # 59: one cell is left over
    assert np.isfinite(logged.obsm["X_clr"]).all()
    full, rest = divmod(60, min(batch_size, 60))
    assert logged.uns["clr"]["params"]["n_steps"] == full + (rest > 1)


def test_one_gene_and_constant_genes(logged) -> None:
    for mask in ([True] + [False] * 39, None):
        part = logged.copy()
        if mask is None:
            part.X = sparse.csr_matrix(np.full(part.shape, 1.5, dtype=np.float32))
        embed(part, mask_var=mask)
        assert np.isfinite(part.obsm["X_clr"]).all()


@each_method
def test_empty_cells(logged, method) -> None:
    values = logged.X.toarray()
    values[:10] = 0
    adata = ad.AnnData(sparse.csr_matrix(values))
    embed(adata, method)
    assert np.isfinite(adata.obsm["X_clr"]).all()
    assert (adata.obsm["X_clr"][:10] == adata.obsm["X_clr"][0]).all()


@settings(max_examples=25, deadline=None)
@given(
    values=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12),
        elements=st.one_of(st.just(0.0), st.floats(0, 12, width=32)),
    ),
    batch_size=st.integers(2, 13),
    method=st.sampled_from(list(METHODS)),
)
@example(values=np.full((2, 2), 1e-45, np.float32), batch_size=2, method="scclr")
@example(values=np.full((2, 2), 1e-45, np.float32), batch_size=2, method="clear")
@pytest.mark.filterwarnings("ignore:Do not trust this embedding:UserWarning")
def test_any_logarithms_embed(values, batch_size, method) -> None:
    values = values.copy()
    values[0, 0] = 0.5  # not all whole numbers: those would be counts
    adata = ad.AnnData(sparse.csr_matrix(values))
    embed(adata, method, batch_size=batch_size, n_epochs=1)
    rep = adata.obsm["X_clr"]
    config = METHODS[method].presets["default"]
    assert rep.shape[0] == len(values)
    assert config.embedding_dim <= rep.shape[1] <= n_dimensions(config, *values.shape)
    assert np.isfinite(rep).all()


# Method and options


@each_method
def test_a_config_is_a_method(logged, method) -> None:
    config = dataclasses.replace(METHODS[method].presets["default"], steps=2, epochs=None, embedding_dim=7)
    contrastive_embed(logged, config, device="cpu", progress=False)
    assert logged.obsm["X_clr"].shape == (60, n_dimensions(config, 60, 40))
    record = logged.uns["clr"]["params"]
    assert (record["method"], record["preset"], record["config"]["embedding_dim"]) == (method, "custom", 7)


@each_method
def test_a_config_gives_what_its_name_gives(logged, method) -> None:
    by_name, by_config = (embed(logged, m, copy=True) for m in (method, METHODS[method].presets["default"]))
    assert freeze(by_name.obsm["X_clr"]) == freeze(by_config.obsm["X_clr"])


def test_the_default_method_is_one_of_the_methods(logged) -> None:
    contrastive_embed(logged, n_steps=1, device="cpu", progress=False)
    assert logged.uns["clr"]["params"]["method"] in METHODS


def test_training_changes_the_embedding(logged) -> None:
    reps = [embed(logged, n_steps=n, learning_rate=0.01, copy=True).obsm["X_clr"] for n in (1, 5)]
    assert np.abs(reps[0] - reps[1]).max() > 1e-3


def test_epochs_count_passes(logged) -> None:
    embed(logged, n_epochs=3, batch_size=20)
    assert logged.uns["clr"]["params"]["n_steps"] == 9
    assert logged.uns["clr"]["history"]["epoch"][-1] == 3


# Determinism, and the rest of the world


@each_method
@pytest.mark.parametrize("batch_key", [None, "run"])
def test_same_seed_same_bits(logged, method, batch_key) -> None:
    first, again, other = (embed(logged, method, batch_key=batch_key, random_state=s, copy=True) for s in (3, 3, 4))
    assert freeze(first.obsm["X_clr"]) == freeze(again.obsm["X_clr"])
    assert freeze(first.uns["clr"]["history"]) == freeze(again.uns["clr"]["history"])
    assert np.abs(first.obsm["X_clr"] - other.obsm["X_clr"]).max() > 1e-3


def test_global_generators_do_not_matter(logged) -> None:
    reps = []
    for seed in (0, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        random.seed(seed)
        reps.append(freeze(embed(logged, copy=True).obsm["X_clr"]))
    assert reps[0] == reps[1]


@each_method
def test_the_world_is_left_alone(logged, method, tmp_path, monkeypatch, capsys) -> None:
    import logging
    import warnings

    def world():
        return (
            repr(np.random.get_state()),
            torch.get_rng_state().tolist(),
            random.getstate(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            np.geterr(),
            list(logging.getLogger().handlers),
            list(warnings.filters),
        )

    monkeypatch.chdir(tmp_path)
    before = world()
    embed(logged, method, batch_key="run")
    assert world() == before
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_progress(logged, capsys, monkeypatch) -> None:
    embed(logged, progress=True)
    assert "Training" in capsys.readouterr().err
    monkeypatch.setattr(clr.settings, "progress", False)
    embed(logged, progress=None)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(clr.settings, "progress", True)
    embed(logged, progress=None)
    assert capsys.readouterr().out == ""


def test_says_what_it_added(logged, monkeypatch, capsys) -> None:
    monkeypatch.setattr(clr.settings, "verbose", True)
    embed(logged, key_added="foo")
    assert "obsm['foo'], 60 dimensions" in capsys.readouterr().out


# What is refused, with the AnnData as it was


def spoiled(value: float) -> dict[str, object]:
    values = np.full((60, 40), 0.5, dtype=np.float32)
    values[3, 4] = value
    return {"X": values}


WRONG = {
    "counts": (
        {"X": np.full((60, 40), 2.0)},
        {},
        ValueError,
        r"adata\.X holds raw counts; .*pp\.contrastive_preprocess",
    ),
    "scaled": (spoiled(-0.5), {}, ValueError, r"adata\.X has negative values.*log-normalised"),
    "linear": (spoiled(99.0), {}, ValueError, r"not logarithms; .*pp\.contrastive_preprocess"),
    "NaN": (spoiled(np.nan), {}, ValueError, r"adata\.X holds NaN or infinite values; remove"),
    "infinite": (spoiled(np.inf), {}, ValueError, "infinite"),
    "complex": ({"X": np.full((60, 40), 1j)}, {}, TypeError, "complex128 values; numbers"),
    "no X": ({"X": None}, {}, ValueError, r"adata\.X is empty.*layer="),
    "no layer": ({}, {"layer": "nope"}, KeyError, r"layer='nope'.*adata\.layers"),
    "no mask": ({}, {"mask_var": "nope"}, KeyError, r"mask_var='nope'.*adata\.var.*mask_var=None"),
    "empty mask": ({}, {"mask_var": np.zeros(40, bool)}, ValueError, "selects no gene.*contrastive_preprocess"),
    "short mask": ({}, {"mask_var": np.ones(3, bool)}, ValueError, r"mask_var.*boolean.*\(40\).*\(3,\)"),
    "mask of numbers": ({}, {"mask_var": np.arange(40)}, ValueError, "mask_var.*boolean.*int64"),
    "text mask": ({"var": {"mine": "yes"}}, {"mask_var": "mine"}, ValueError, "mine.*mask_var.*boolean.*found 'yes'"),
    "no batch": ({}, {"batch_key": "nope"}, KeyError, r"batch_key='nope'.*'run'"),
    "NaN in batch": (
        {"obs": {"run": [np.nan] * 2 + ["a"] * 58}},
        {"batch_key": "run"},
        ValueError,
        "'run'.*missing for 2 cells; fill",
    ),
    "a batch for each": (
        {"obs": {"run": range(60)}},
        {"batch_key": "run"},
        ValueError,
        "'run'.*own for 60 of 60 cells",
    ),
    "batches in a list": ({}, {"batch_key": ["run"]}, TypeError, r"`batch_key` must be the name.*found \['run'\]"),
    "method": ({}, {"method": "pca"}, ValueError, "`method` 'pca'; choose one of .*'clear', 'contrastive-sc'"),
    "no method": ({}, {"method": None}, TypeError, "name or a method's config; found NoneType"),
    "preset": ({}, {"preset": "best"}, ValueError, "`preset` 'best' of 'contrastive-sc'; choose one of .*'code'"),
    "preset and config": (
        {},
        {"method": METHODS["clear"].presets["default"], "preset": "code"},
        ValueError,
        "preset='code'.*leave it out",
    ),
    "epochs and steps": ({}, {"n_epochs": 2, "n_steps": 3}, ValueError, "`n_epochs` and `n_steps`.*2 and 3"),
    "no steps": ({}, {"n_steps": 0}, ValueError, "`n_steps`.*at least 1; found 0"),
    "no epochs": ({}, {"n_epochs": -1}, ValueError, "`n_epochs`.*at least 1; found -1"),
    "batch of one": ({}, {"batch_size": 1}, ValueError, "`batch_size`.*at least 2.*found 1"),
    "rate": ({}, {"learning_rate": 0.0}, ValueError, "`learning_rate`.*positive; found 0"),
    "device": ({}, {"device": "abacus"}, ValueError, "`device='abacus'` is not available.*'cpu'"),
    "seed": ({}, {"random_state": -1}, ValueError, "`random_state` must be"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_refused_and_untouched(logged, case) -> None:
    parts, options, error, message = WRONG[case]
    if "X" in parts:
        logged.X = parts["X"]
    for table in ("obs", "var"):
        for column, values in parts.get(table, {}).items():
            getattr(logged, table)[column] = values
    with unchanged(logged), pytest.raises(error, match=message):
        embed(logged, **options)


@pytest.mark.parametrize(("shape", "message"), [((1, 40), "1 cell;"), ((0, 40), "0 cells"), ((60, 0), "0 genes")])
def test_too_few_cells_or_genes(logged, shape, message) -> None:
    part = logged[: shape[0], : shape[1]].copy()
    with unchanged(part), pytest.raises(ValueError, match=message):
        embed(part)


def test_duplicate_genes(logged) -> None:
    with pytest.warns(UserWarning, match="not unique"):
        adata = ad.AnnData(logged.X, var=pd.DataFrame(index=["g"] * 40))
    with unchanged(adata), pytest.raises(ValueError, match=r"'g'.*var_names_make_unique"):
        embed(adata)


def test_a_refused_view_stays_a_view(logged) -> None:
    view = logged[:1]
    with unchanged(view, logged), pytest.raises(ValueError, match="1 cell"):
        embed(view)


@each_method
def test_a_training_that_diverges(logged, method) -> None:
    with unchanged(logged), pytest.raises(FloatingPointError, match="diverged.*learning_rate"):
        embed(logged, method, learning_rate=1e30, n_steps=20)


STAGES = [
    "tl._contrastive_embed.read_model_input",
    "engine.run.training_set",
    "engine.run.build",
    "engine.run.fit",
    "engine.fit.build_optimizer",
    "engine.history.diagnose",
    "engine.run.embed",
    "tl._contrastive_embed.embedding_record",
]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("stage", STAGES)
def test_interrupted_and_untouched(logged, monkeypatch, stage, stop) -> None:
    embed(logged, random_state=5)  # an earlier result, which must survive

    def fail(*args, **kwargs):
        raise stop

    monkeypatch.setattr(f"scclr_ext.{stage}", fail)
    view = logged[:50]
    with unchanged(logged, view):
        for adata in (logged, view):
            with pytest.raises(stop):
                embed(adata)


def test_logarithms_that_preprocessing_would_refuse_are_told_of(counts) -> None:
    depth = np.random.default_rng(0).uniform(0.2, 1, (200, 1))
    counts.X = sparse.csr_matrix(np.log1p(np.floor(counts.X.toarray() * 10 * depth)).astype(np.float32))
    with pytest.warns(UserWarning, match="logarithms of counts that were not normalised"):
        embed(counts)


def test_logarithms_to_another_base_are_refused(counts) -> None:
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts, base=2)
    with unchanged(counts), pytest.raises(ValueError, match="to the base 2"):
        embed(counts)


def test_what_preprocessing_has_seen_is_not_looked_at_again(counts) -> None:
    sc.pp.downsample_counts(counts, counts_per_cell=100)  # of equal depth: normalising changes nothing
    clr.pp.contrastive_preprocess(counts, "contrastive-sc", n_top_genes=50, subset=True)
    embed(counts)


@pytest.mark.parametrize(
    ("fixture", "spoil", "message"),
    [
        ("counts", sc.pp.log1p, "logarithms of logarithms: sc.pp.log1p was called twice"),
        ("pbmc", lambda adata: sc.pp.scale(adata, zero_center=False), "they were scaled"),
    ],
)
@pytest.mark.parametrize("embed_it", [embed, clr.tl.stability])
@pytest.mark.filterwarnings("ignore:adata.X seems to be already log-transformed")
def test_what_was_done_after_preprocessing_is_noticed(request, fixture, spoil, message, embed_it) -> None:
    adata = request.getfixturevalue(fixture)
    clr.pp.contrastive_preprocess(adata, n_top_genes=200)
    let_through = adata.copy()
    spoil(adata)
    with unchanged(adata), pytest.raises(ValueError, match=message):
        embed_it(adata, "clear", n_steps=1)
    spoil(let_through)
    clr.pp.contrastive_preprocess(let_through, n_top_genes=200, check_values=False)
    embed(let_through, n_steps=1)


@pytest.mark.parametrize("subset", [True, False])
def test_what_preprocessing_has_made_is_not_taken_for_altered(subset) -> None:
    # Genes whose logarithms have a standard deviation of 1, as if they were scaled: told only while all are there.
    values = np.random.default_rng(0).lognormal(3, 1, (300, 200)).astype(np.float32)
    adata = ad.AnnData(values)
    clr.pp.contrastive_preprocess(adata, n_top_genes=100, subset=subset)
    adata.uns["log1p"]["base"] = 2  # of another layer
    embed(adata if subset else adata[:, :150].copy(), n_steps=1)


def test_looking_at_a_view_copies_some_of_it(pbmc) -> None:
    clr.pp.contrastive_preprocess(pbmc, n_top_genes=50)
    view = ad.concat([pbmc] * 8, merge="same", uns_merge="same", index_unique="-")[np.arange(5500)]
    view.uns["clr_preprocess"]["n_obs"] = 5500
    data = read_model_input(view, layer=None, mask_var="highly_variable", batch_key=None)
    tracemalloc.start()
    look_at_logarithms(view, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5500 * 765  # all of the values, four bytes each, would be four times that


def test_corrected_counts_of_equal_depth_may_be_logarithms(counts) -> None:
    values = counts.X.toarray() * 20
    corrected = np.rint(values * np.median(values.sum(1)) / values.sum(1, keepdims=True))
    counts.X = sparse.csr_matrix(np.log1p(corrected).astype(np.float32))
    embed(counts)


def test_samples_that_were_normalised_apart_are_told_of(counts) -> None:
    parts = [counts[:100].copy(), counts[100:].copy()]
    for part, size in zip(parts, (500, 2000), strict=True):
        sc.pp.normalize_total(part, target_sum=size)
        sc.pp.log1p(part)
    with pytest.warns(UserWarning, match="2 library sizes"):
        embed(ad.concat(parts))


@pytest.mark.parametrize("key_added", ["clr", "X_clr"])
def test_another_embedding_does_not_lose_its_record(logged, key_added) -> None:
    embed(logged)
    with unchanged(logged), pytest.raises(ValueError, match=r"'clr'.*embedding in adata.obsm\['X_clr'\].*another name"):
        embed(logged, key_added=key_added)
    embed(logged)  # itself it may replace
    del logged.obsm["X_clr"]
    embed(logged, key_added=key_added)  # and what is left of one that is gone
