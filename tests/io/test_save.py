"""Saving: whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scclr_ext as clr
from joined import joined
from scclr_ext.engine.methods import METHODS
from scclr_ext.io import Model, ModelError
from scclr_ext.io import _save as save_module
from scclr_ext.io._config import config_from
from scclr_ext.io._get_model import get_model
from scclr_ext.io._plain import plain

pytestmark = pytest.mark.filterwarnings("ignore:Do not trust this embedding:UserWarning")
FIXTURES = Path(__file__).parent / "fixtures" / "format-1"
each_preset = pytest.mark.parametrize(
    ("method", "preset"), [(method, preset) for method, row in METHODS.items() for preset in row.presets]
)


def embed(adata: ad.AnnData, method="contrastive-sc", **options) -> None:
    clr.tl.contrastive_embed(adata, method, n_steps=2, device="cpu", progress=False, **options)


@pytest.fixture
def embedded(counts: ad.AnnData) -> ad.AnnData:
    clr.pp.contrastive_preprocess(counts, n_top_genes=40)
    embed(counts)
    return counts


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def input_of(adata: ad.AnnData) -> np.ndarray:
    return adata.X[:, adata.var["highly_variable"].to_numpy()].toarray()


# Everything comes back


@each_preset
def test_a_config_comes_back(method, preset) -> None:
    config = METHODS[method].presets[preset]
    assert config_from(method, plain(config.record())) == config


@pytest.mark.parametrize(
    ("method", "preset", "batch_key"),
    [("scclr", None, None), ("scclr", None, "batch"), ("clear", None, None), ("clear", "code", None)]
    + [("contrastive-sc", "code", None)],
)
def test_the_same_bits_after_a_file(counts, tmp_path, method, preset, batch_key) -> None:
    clr.pp.contrastive_preprocess(counts, method, n_top_genes=40)
    embed(counts, method, preset=preset, batch_key=batch_key)
    clr.io.save(counts, tmp_path / "model")
    model = clr.io.load(tmp_path / "model")
    assert model.trained.n_dimensions == counts.obsm["X_clr"].shape[1]
    assert (model.trained.embed(input_of(counts), device="cpu") == counts.obsm["X_clr"]).all()
    assert model.genes.tolist() == counts.var_names[counts.var["highly_variable"]].tolist()
    assert (model.mean == counts.uns["clr"]["mean"]).all()
    assert (model.std == counts.uns["clr"]["std"]).all()
    assert model.config == get_model(counts).config


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_the_model_travels_with_the_anndata(embedded, tmp_path, suffix) -> None:
    path = tmp_path / f"cells.{suffix}"
    embedded.write_h5ad(path) if suffix == "h5ad" else embedded.write_zarr(path)
    read = ad.read_h5ad(path) if suffix == "h5ad" else ad.read_zarr(path)
    clr.io.save(read, tmp_path / "model")
    values = input_of(embedded)
    for source in (read, tmp_path / "model", str(tmp_path / "model"), get_model(read)):
        assert (get_model(source).trained.embed(values, device="cpu") == embedded.obsm["X_clr"]).all()


def test_saving_what_was_loaded_writes_the_same_bytes(embedded, tmp_path) -> None:
    clr.io.save(embedded, tmp_path / "first", labels="group")
    clr.io.save(clr.io.load(tmp_path / "first"), tmp_path / "second")
    assert tree(tmp_path / "first") == tree(tmp_path / "second")
    assert set(tree(tmp_path / "first")) == {"model.json", "weights.safetensors", "reference.safetensors"}


def test_the_training_comes_back(embedded, tmp_path) -> None:
    clr.io.save(embedded, tmp_path / "model")
    training = clr.io.load(tmp_path / "model").training
    record = embedded.uns["clr"]
    assert training["versions"] == record["versions"]
    assert training["random_state"] == 0
    assert training["history"]["loss"] == record["history"]["loss"].tolist()
    assert training["params"]["mask_var"] == "highly_variable"


def test_another_key(embedded, tmp_path) -> None:
    embed(embedded, "clear", key_added="other")
    clr.io.save(embedded, tmp_path / "model", key="other")
    assert clr.io.load(tmp_path / "model").method == "clear"


def test_labels_go_along(embedded, tmp_path) -> None:
    embedded.obs["group"] = pd.Categorical(embedded.obs["group"].astype(object).where(np.arange(200) > 2))
    clr.io.save(embedded, tmp_path / "model", labels="group")
    reference = clr.io.load(tmp_path / "model").reference
    assert (reference.embedding == embedded.obsm["X_clr"]).all()
    assert reference.codes[:3].tolist() == [-1, -1, -1]
    assert np.array(reference.labels)[reference.codes[3:]].tolist() == embedded.obs["group"].tolist()[3:]


def test_only_what_the_embedding_needs_is_kept(embedded, tmp_path) -> None:
    embed(embedded, "clear")
    names = set(embedded.uns["clr"]["weights"])
    assert names
    assert all(name.startswith("query.body.") for name in names)


def test_the_record_holds_no_torch(embedded) -> None:
    weights = embedded.uns["clr"]["weights"]
    assert {type(value) for value in weights.values()} == {np.ndarray}
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}
    assert all(value.base is None or isinstance(value.base, np.ndarray) for value in weights.values())


# What cannot be saved


def test_without_an_embedding(counts, tmp_path) -> None:
    with pytest.raises(KeyError, match=r"adata.uns has no 'clr'.*contrastive_embed"):
        clr.io.save(counts, tmp_path / "model")
    counts.uns["clr"] = {"params": "none"}
    with pytest.raises(ModelError, match="not the record of an embedding"):
        clr.io.save(counts, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["same", "unique"])
def test_what_joining_leaves_of_models(counts, tmp_path, how) -> None:
    with pytest.raises(ModelError, match=r"adata\.uns\['clr'\] is what is left of .*joined.*tl\.map_query") as caught:
        clr.io.save(joined(counts, how), tmp_path / "model")
    assert "keep_weights" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_weights(embedded, tmp_path) -> None:
    embed(embedded, keep_weights=False)
    assert "weights" not in embedded.uns["clr"]
    with pytest.raises(ModelError, match="keep_weights=False"):
        clr.io.save(embedded, tmp_path / "model")


def test_weights_that_someone_changed(embedded, tmp_path) -> None:
    weights = embedded.uns["clr"]["weights"]
    weights["encoder.0.bias"] = weights["encoder.0.bias"][:-1]
    with pytest.raises(ModelError, match=r"adata.uns\['clr'\].*encoder.0.bias"):
        clr.io.save(embedded, tmp_path / "model")


def test_something_else_is_refused(tmp_path) -> None:
    with pytest.raises(TypeError, match="AnnData is needed"):
        clr.io.save({"a": 1}, tmp_path / "model")


def test_measurements_are_no_labels(embedded, tmp_path) -> None:
    embedded.obs["score"] = np.random.default_rng(0).random(embedded.n_obs)
    embedded.obs["name"] = embedded.obs_names.to_numpy()
    for column, found in (("score", "like a measurement"), ("name", "a value of its own for")):
        with pytest.raises(ValueError, match=rf"obs\['{column}'\] \(`labels`\) of the reference holds .*{found}"):
            clr.io.save(embedded, tmp_path / "model", labels=column)
    assert not (tmp_path / "model").exists()


def test_labels_that_are_not_there(embedded, tmp_path) -> None:
    with pytest.raises(KeyError, match="labels='nothing'` is not a column"):
        clr.io.save(embedded, tmp_path / "model", labels="nothing")
    with pytest.raises(TypeError, match="needs an AnnData"):
        clr.io.save(get_model(embedded), tmp_path / "model", labels="group")
    assert not list(tmp_path.iterdir())


# Whole or not at all


def test_an_existing_folder_is_not_touched(embedded, tmp_path) -> None:
    clr.io.save(embedded, tmp_path / "model")
    before = tree(tmp_path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        clr.io.save(embedded, tmp_path / "model")
    assert tree(tmp_path) == before


def test_overwrite_replaces_a_model(embedded, tmp_path) -> None:
    clr.io.save(embedded, tmp_path / "model", labels="group")
    embed(embedded, "clear")
    clr.io.save(embedded, tmp_path / "model", overwrite=True)
    assert clr.io.load(tmp_path / "model").method == "clear"
    assert set(tree(tmp_path)) == {"model/model.json", "model/weights.safetensors"}


def test_overwrite_spares_other_folders(embedded, tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="not replaced"):
        clr.io.save(embedded, tmp_path, overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(FileExistsError, match="not replaced"):
        clr.io.save(embedded, tmp_path / "link", overwrite=True)
    with pytest.raises(FileExistsError, match="not replaced"):
        clr.io.save(embedded, tmp_path / "thesis.txt", overwrite=True)
    with pytest.raises(FileExistsError, match="not replaced"):  # with `overwrite` it would not be, either
        clr.io.save(embedded, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_parent_that_is_missing(embedded, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        clr.io.save(embedded, tmp_path / "no" / "model")


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("stage", "error"),
    [
        ("write_document", OSError(errno.ENOSPC, "No space left on device")),
        ("write_document", PermissionError(errno.EACCES, "Permission denied")),
        ("write_document", KeyboardInterrupt()),
        ("_move", OSError(errno.EROFS, "Read-only file system")),
        ("_move", KeyboardInterrupt()),
        ("_write", MemoryError()),
    ],
)
def test_a_failure_leaves_nothing_behind(embedded, tmp_path, monkeypatch, existing, stage, error) -> None:
    if existing:
        clr.io.save(get_model(FIXTURES / "clear"), tmp_path / "model")
    before = tree(tmp_path)

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(save_module, stage, fail)
    with pytest.raises(type(error)) as caught:
        clr.io.save(embedded, tmp_path / "model", overwrite=existing)
    assert tree(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == existing
    if isinstance(error, OSError):
        assert f"could not be saved to {str(tmp_path / 'model')!r} ({error.strerror})" in str(caught.value)
        assert caught.value.errno == error.errno


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_the_old_model_comes_back_where_the_new_one_cannot_be_moved(embedded, tmp_path, monkeypatch, error) -> None:
    clr.io.save(get_model(FIXTURES / "clear"), tmp_path / "model")
    before, rename = tree(tmp_path), Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if Path(target) == tmp_path / "model" and not self.name.endswith(".old"):
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(type(error), match="nothing was changed" if isinstance(error, OSError) else None):
        clr.io.save(embedded, tmp_path / "model", overwrite=True)
    assert tree(tmp_path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
def test_a_disk_that_is_full(tmp_path) -> None:
    code = f"""
import resource
from pathlib import Path
import scclr_ext as clr
model = clr.io.load({str(FIXTURES / "scclr")!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the weights are larger
try:
    clr.io.save(model, Path({str(tmp_path)!r}) / "model")
except OSError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "could not be saved" in run.stdout
    assert "File too large" in run.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="could not be saved"):
        clr.io.save(clr.io.load(FIXTURES / "scclr"), tmp_path / "model")


def test_a_folder_nobody_can_write_to() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc")
    with pytest.raises(OSError, match="could not be saved"):
        clr.io.save(clr.io.load(FIXTURES / "scclr"), "/proc/self/model")


def test_the_folder_is_as_readable_as_any_other(embedded, tmp_path) -> None:
    (tmp_path / "usual").mkdir()
    clr.io.save(embedded, tmp_path / "model")
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_model_says_what_it_is() -> None:
    model = clr.io.load(FIXTURES / "scclr")
    assert isinstance(model, Model)
    assert repr(model) == (
        "Model(method='scclr', preset='custom', 12 genes, 15 dimensions, trained on 24 cells, 24 labelled cells)"
    )


def test_labelled_cells_of_another_embedding_are_refused(embedded, tmp_path) -> None:
    embedded.obsm["X_clr"] = embedded.obsm["X_clr"][:, :5]
    with pytest.raises(ValueError, match=r"obsm\['X_clr'\].*5 dimensions.*embed"):
        clr.io.save(embedded, tmp_path / "model", labels="group")
    assert not list(tmp_path.iterdir())
