"""The command line: the job from a shell, and one line where something is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

import scclr_ext as clr
from anndata_state import freeze
from scclr_ext._command_line.demo import demo
from scclr_ext._command_line.options import parser
from scclr_ext.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:Do not trust this embedding:UserWarning")

QUICK = ["--n-steps", "3", "--device", "cpu", "--resolution", "1"]


@pytest.fixture(autouse=True)
def _settings_restored(monkeypatch) -> None:
    monkeypatch.setattr(clr.settings, "verbose", clr.settings.verbose)
    monkeypatch.setattr(clr.settings, "progress", clr.settings.progress)


@pytest.fixture
def file(counts, tmp_path) -> Path:
    path = tmp_path / "in.h5ad"
    counts[:80].write_h5ad(path)
    return path


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


# The job


def test_text_that_may_have_missing_values_is_written_as_it_was_read(counts, tmp_path) -> None:
    part = counts[:80].copy()
    part.var["gene_ids"] = pd.array([f"ENSG{i}" for i in range(part.n_vars)], dtype="string")
    with ad.settings.override(allow_write_nullable_strings=True):
        part.write_h5ad(tmp_path / "in.h5ad")
    assert run("embed", tmp_path / "in.h5ad", tmp_path / "out.h5ad", *QUICK, "--quiet") == 0
    assert ad.read_h5ad(tmp_path / "out.h5ad").var["gene_ids"].tolist() == part.var["gene_ids"].tolist()


def test_embed(file, tmp_path, capsys) -> None:
    out = tmp_path / "out.h5ad"
    before = file.read_bytes()
    assert run("embed", file, out, *QUICK, "--n-top-genes", "50", "--batch-key", "batch") == 0
    done = ad.read_h5ad(out)
    assert done.obsm["X_clr"].shape[0] == 80
    assert done.var["highly_variable"].sum() == 50
    assert done.obs["clr_clusters"].notna().all()
    params = done.uns["clr"]["params"]
    assert (params["n_steps"], params["batch_key"], params["n_genes"]) == (3, "batch", 50)
    said = capsys.readouterr()
    assert "obsm['X_clr']" in said.out
    assert said.out.splitlines()[-1] == f"80 cells written to {out}"
    assert said.err == ""
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5ad", "out.h5ad"]


def test_embed_is_the_functions_one_after_the_other(file, tmp_path) -> None:
    adata = ad.read_h5ad(file)
    clr.pp.contrastive_preprocess(adata, "contrastive-sc")
    clr.tl.contrastive_embed(
        adata, "contrastive-sc", n_epochs=1, key_added="foo", random_state=5, device="cpu", progress=False
    )
    clr.tl.contrastive_cluster(adata, use_rep="foo", n_clusters=2, key_added="foo_clusters", random_state=5)
    out = tmp_path / "out.h5ad"
    options = ["--method", "contrastive-sc", "--n-epochs", "1", "--key-added", "foo", "--random-state", "5"]
    assert run("embed", file, out, *options, "--n-clusters", "2", "--device", "cpu", "--quiet") == 0
    done = ad.read_h5ad(out)
    np.testing.assert_array_equal(done.obsm["foo"], adata.obsm["foo"])
    assert done.obs["foo_clusters"].tolist() == adata.obs["foo_clusters"].tolist()


@pytest.mark.parametrize(
    ("options", "method"),
    [([], "clear"), (["--batch-key", "batch"], "scclr"), (["--batch-key", "batch", "--method", "clear"], "clear")],
)
def test_the_method_is_the_recommended_one_unless_it_is_named(file, options, method) -> None:
    assert run("embed", file, file, *QUICK, "--quiet", *options) == 0
    done = ad.read_h5ad(file)
    assert done.uns["clr"]["params"]["method"] == method
    assert done.uns["clr_preprocess"]["method"] == method


def test_a_second_embedding_leaves_the_clusters_of_the_first(file, tmp_path) -> None:
    assert run("embed", file, file, *QUICK, "--quiet") == 0
    first = ad.read_h5ad(file)
    assert (
        run("embed", file, file, "--no-preprocess", "--key-added", "foo", "--random-state", "1", *QUICK, "--quiet") == 0
    )
    both = ad.read_h5ad(file)
    assert {"clr_clusters", "foo_clusters"} <= set(both.obs) & set(both.uns)
    assert freeze(both.obs["clr_clusters"]) == freeze(first.obs["clr_clusters"])


def test_only_embed_what_is_ready(counts, tmp_path) -> None:
    clr.pp.contrastive_preprocess(counts, n_top_genes=40)
    counts.layers["logs"] = counts.X.copy()
    counts.write_h5ad(file := tmp_path / "in.h5ad")
    out = tmp_path / "out.h5ad"
    options = ["--no-preprocess", "--no-cluster", "--layer", "logs", "--n-steps", "2", "--device", "cpu"]
    assert run("embed", file, out, *options) == 0
    done = ad.read_h5ad(out)
    assert "clr_clusters" not in done.obs
    assert done.uns["clr"]["params"]["layer"] == "logs"
    np.testing.assert_array_equal(done.X.toarray(), counts.X.toarray())


def test_quiet(file, tmp_path, capsys) -> None:
    out = tmp_path / "out.h5ad"
    assert run("embed", file, out, *QUICK, "--quiet") == 0
    assert capsys.readouterr() == (f"80 cells written to {out}\n", "")


def test_settings_are_those_of_before(file, tmp_path, monkeypatch) -> None:
    for verbose, progress in ((True, True), (False, False)):
        monkeypatch.setattr(clr.settings, "verbose", verbose)
        monkeypatch.setattr(clr.settings, "progress", progress)
        assert run("embed", file, tmp_path / "out.h5ad", "--quiet" if verbose else "--resolution=1", *QUICK[:-2]) == 0
        assert run("embed", tmp_path / "none.h5ad", tmp_path / "out.h5ad") == 2
        assert (clr.settings.verbose, clr.settings.progress) == (verbose, progress)


def test_the_input_may_be_the_output(file) -> None:
    assert run("embed", file, file, *QUICK, "--quiet") == 0
    assert "X_clr" in ad.read_h5ad(file).obsm
    assert [path.name for path in file.parent.iterdir()] == ["in.h5ad"]


# What goes wrong


def one_line(capsys) -> str:
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err + said.out
    return said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "nope"], r"`layer='nope'` is not in adata.layers"),
        (["--batch-key", "nope"], r"`batch_key='nope'` is not a column of adata.obs; found 'group', 'batch'"),
        (["--method", "pca"], "Unknown `method` 'pca'"),
        (["--preset", "best"], "Unknown `preset` 'best'"),
        (["--device", "abacus"], "`device='abacus'` is not available"),
        (["--key-added", "neighbors"], "the clustering writes its neighbour graph there; choose another name"),
        (["--checkpoint-dir", __file__], "`checkpoint_dir` is the file"),
        (["--no-preprocess"], "raw counts; call scclr_ext.pp.contrastive_preprocess"),
    ],
)
def test_wrong_options_take_one_line(file, tmp_path, capsys, options, message) -> None:
    assert run("embed", file, tmp_path / "out.h5ad", *QUICK, *options) == 2
    assert message in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]


@pytest.mark.filterwarnings("ignore:Moving element", "ignore::anndata._warnings.OldFormatWarning")
def test_files_that_are_not_there_or_no_h5ad(file, tmp_path, capsys) -> None:
    out = tmp_path / "out.h5ad"
    assert run("embed", tmp_path / "nope.h5ad", out) == 2
    assert "nope.h5ad cannot be read as an .h5ad file" in one_line(capsys)
    (tmp_path / "text.h5ad").write_text("cell,gene\n")
    assert run("embed", tmp_path / "text.h5ad", out) == 2
    assert "text.h5ad cannot be read as an .h5ad file" in one_line(capsys)
    assert run("embed", tmp_path, out) == 2
    assert "is a folder; read it in Python" in one_line(capsys)
    with h5py.File(tmp_path / "filtered.h5", "w") as tenx:
        tenx.create_group("matrix")
    assert run("embed", tmp_path / "filtered.h5", out) == 2
    assert "scanpy.read_10x_h5" in one_line(capsys)
    with h5py.File(tmp_path / "new.h5ad", "w") as newer:
        newer.attrs.update({"encoding-type": "anndata", "encoding-version": "99.0"})
    assert run("embed", tmp_path / "new.h5ad", out) == 2
    assert "new.h5ad cannot be read as an .h5ad file" in one_line(capsys)
    (tmp_path / "new.h5ad").rename(tmp_path / "both.h5mu")
    assert run("embed", tmp_path / "both.h5mu", out) == 2
    assert "mudata.read_h5mu" in one_line(capsys)
    assert run("demo", file, "--out", tmp_path / "text.h5ad") == 2
    assert "text.h5ad is a file; --out names the folder" in one_line(capsys)
    assert run("embed", file, tmp_path / "nowhere" / "out.h5ad") == 2
    assert "nowhere to write out.h5ad to; make it first" in one_line(capsys)
    (tmp_path / "folder").mkdir()
    assert not list(tmp_path.glob("*.part"))


def test_where_nothing_can_be_written_nothing_is_trained(file, tmp_path, capsys, monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr("scclr_ext.cli.read", fail)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "old.zarr").mkdir()
    for output, message in (
        ("folder", "folder is a folder; name the .h5ad file to write"),
        (".", "is a folder"),
        ("old.zarr", "is a folder"),
        ("new.zarr", "new.zarr would be an .h5ad file with another name; give one that ends in .h5ad"),
        ("new.csv", "new.csv would be an .h5ad file with another name"),
        ("new", "new would be an .h5ad file with another name"),
        ("nowhere/out.h5ad", "there is no folder nowhere to write out.h5ad to; make it first"),
    ):
        assert run("embed", file, output) == 2
        assert message in one_line(capsys)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert run("embed", file, "folder/out.h5ad") == 2
    assert "nothing may be written to the folder folder; choose" in one_line(capsys)


def test_a_job_that_was_started_twice(file, tmp_path) -> None:
    (tmp_path / "out.h5ad.part").write_text("of another process")
    assert run("embed", file, tmp_path / "out.h5ad", *QUICK[:4], "--no-cluster") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5ad", "out.h5ad", "out.h5ad.part"]


def test_values_that_look_odd(counts, tmp_path, capsys) -> None:
    counts.X = np.sqrt(counts.X)
    counts.write_h5ad(tmp_path / "in.h5ad")
    arguments = "embed", tmp_path / "in.h5ad", tmp_path / "out.h5ad", *QUICK[:4], "--no-cluster"
    assert run(*arguments) == 2
    assert "If they are what they should be, give --no-check-values." in one_line(capsys)
    assert run(*arguments, "--no-check-values") == 0


def test_compression(file, tmp_path) -> None:
    for name, options in {"plain": [], "small": ["--compression", "gzip"]}.items():
        assert run("embed", file, tmp_path / f"{name}.h5ad", *QUICK[:4], "--no-cluster", *options) == 0
    with h5py.File(tmp_path / "small.h5ad") as small:
        assert small["X/data"].compression == "gzip"
    plain, small = (ad.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("plain", "small"))
    np.testing.assert_array_equal(plain.obsm["X_clr"], small.obsm["X_clr"])


@pytest.mark.parametrize("stage", ["scclr_ext.engine.run.fit", "anndata.AnnData.write_h5ad"])
def test_interrupted(file, tmp_path, capsys, monkeypatch, stage) -> None:
    def stop(*args, **kwargs):
        if stage.endswith("write_h5ad"):
            Path(args[1]).write_text("half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, stop)
    assert run("embed", file, tmp_path / "out.h5ad", *QUICK) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["embed"],
        ["nope"],
        ["embed", "a", "b", "--n-steps", "3", "--n-epochs", "3"],
        ["embed", "a", "b", "--n-clusters", "3", "--resolution", "1"],
        ["embed", "a", "b", "--n-steps", "three"],
        ["embed", "a", "b", "--n-steps", "0"],
        ["embed", "a", "b", "--n-clusters", "-2"],
        ["embed", "a", "b", "--n-top-genes", "0"],
        ["demo", "--no-cluster"],
        ["embed", "a", "b", "--no-preprocess", "--n-top-genes", "10"],
    ],
)
def test_wrong_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    said = capsys.readouterr().err
    assert "usage: scclr_ext" in said
    assert "_count" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resolution", "0"], "`resolution` must be a positive number; found 0.0"),
        (["--n-clusters", "81"], "number of cells (80); found 81"),
        (["--device", "nope"], "`device='nope'` is not available here"),
        (["--preset", "nope"], "'nope'"),
        (["--method", "nope"], "'nope'"),
        (["--precision", "nope"], "`precision='nope'` is unknown"),
        (["--random-state", "-1"], "`random_state` must be a whole number"),
        (["--key-added", "a/b"], "`key_added` must be a name"),
        (["--resume"], "`resume=True` needs `checkpoint_dir`"),
    ],
)
def test_what_cannot_work_is_told_before_the_training(file, tmp_path, monkeypatch, capsys, options, said) -> None:
    for stage in (clr.pp, "contrastive_preprocess"), (clr.tl, "contrastive_embed"):
        monkeypatch.setattr(*stage, lambda *_, **__: pytest.fail("started"))
    assert run("embed", file, tmp_path / "out.h5ad", *options) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["embed", "demo"]),
        (["embed", "--help"], ["--method", "--batch-key", "--n-steps", "--quiet"]),
        (["demo", "--help"], ["--out", "demo_output"]),
    ],
)
def test_help(arguments, words, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    said = capsys.readouterr().out
    assert all(word in said for word in words)


def test_the_module_runs(tmp_path) -> None:
    def shell(*arguments):
        command = [sys.executable, "-m", "scclr_ext", *arguments]
        root = Path(clr.__file__).parents[1]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert shell("--version").stdout == f"{clr.__version__}\n"
    wrong = shell("embed", str(tmp_path / "nope.h5ad"), str(tmp_path / "out.h5ad"))
    assert wrong.returncode == 2
    assert "nope.h5ad" in wrong.stderr
    assert "Traceback" not in wrong.stderr


# The demo


def check_demo(folder: Path, said: str, n_cells: int, clusters_key: str = "clr_clusters") -> ad.AnnData:
    assert sorted(path.name for path in folder.iterdir()) == ["embedded.h5ad", "embedding_qc.png", "umap.png"]
    for name in ("embedding_qc.png", "umap.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
        assert (folder / name).stat().st_size > 10_000
    done = ad.read_h5ad(folder / "embedded.h5ad")
    assert done.obsm["X_umap"].shape == (n_cells, 2)
    summary = dict(line.split(maxsplit=1) for line in said.splitlines()[-5:-4] + said.splitlines()[-3:])
    assert summary["cells"] == str(n_cells)
    assert summary["clusters"] == str(done.obs[clusters_key].nunique())
    assert float(summary["seconds"]) > 0
    assert all(str(folder / path.name) in summary["files"] for path in folder.iterdir())
    return done


def test_demo_on_the_cells_of_scanpy(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("demo", *QUICK) == 0
    done = check_demo(Path("demo_output"), capsys.readouterr().out, 700)
    assert "bulk_labels" in done.obs
    assert set(done.obsm) == {"X_clr", "X_umap"}
    assert [path.name for path in tmp_path.iterdir()] == ["demo_output"]


def test_demo_on_a_file(file, tmp_path, capsys) -> None:
    out = tmp_path / "deep" / "results"
    assert run("demo", file, "--out", out, "--batch-key", "batch", "--key-added", "foo", *QUICK, "--quiet") == 0
    done = check_demo(out, capsys.readouterr().out, 80, "foo_clusters")
    assert done.uns["foo"]["params"]["batch_key"] == "batch"


def test_demo_takes_one_line_too(tmp_path, capsys) -> None:
    assert run("demo", tmp_path / "nope.h5ad") == 2
    assert "nope.h5ad" in one_line(capsys)


# Checkpoints and several processes


def test_an_interrupted_embedding_is_taken_up(file, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "state"
    once = ["--no-cluster", "--n-steps", "6", "--device", "cpu", "--quiet"]
    assert run("embed", file, tmp_path / "whole.h5ad", *once) == 0
    assert run("embed", file, tmp_path / "a.h5ad", *once, "--checkpoint-dir", folder) == 0
    assert (folder / "checkpoint.pt").exists()
    assert run("embed", file, tmp_path / "b.h5ad", *once, "--checkpoint-dir", folder) == 2
    assert run("embed", file, tmp_path / "c.h5ad", *once, "--checkpoint-dir", folder, "--resume") == 0
    assert run("embed", file, tmp_path / "d.h5ad", *once, "--resume") == 2
    whole, resumed = (ad.read_h5ad(tmp_path / f"{name}.h5ad").obsm["X_clr"] for name in ("whole", "c"))
    assert np.array_equal(whole, resumed)


def test_two_processes_say_once_what_is_wrong(file, tmp_path) -> None:
    folder, out = tmp_path / "state", tmp_path / "out.h5ad"
    options = ["--no-cluster", "--device", "cpu", "--checkpoint-dir", str(folder)]
    assert run("embed", file, out, *options, "--n-steps", "4", "--quiet") == 0
    command = [sys.executable, "-m", "scclr_ext", "embed", str(file), str(out), *options, "--resume", "--devices", "2"]
    done = subprocess.run([*command, "--n-steps", "5"], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 2
    assert done.stderr.count("is of a run with other data, settings or seed") == 1
    assert "Traceback" not in done.stderr


def test_the_second_process_of_a_demo_only_shares_the_training(file, tmp_path, capsys) -> None:
    args = parser().parse_args(["demo", str(file), "--out", str(tmp_path / "demo"), *QUICK])
    demo(args, first=False)
    assert not (tmp_path / "demo").exists()
    assert "cells" not in capsys.readouterr().out


def test_two_processes_write_one_file(file, tmp_path) -> None:
    out = tmp_path / "out.h5ad"
    command = [sys.executable, "-m", "scclr_ext", "embed", str(file), str(out), "--devices", "2", "--device", "cpu"]
    command += ["--n-steps", "4", "--early-stopping", "--no-cluster"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"80 cells written to {out}"
    assert done.stdout.count("written to") == done.stdout.count("added obsm") == 1, "only one process talks"
    assert ad.read_h5ad(out).obsm["X_clr"].shape[0] == 80
