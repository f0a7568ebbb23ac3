"""A training that was killed goes on where it was, and ends with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scclr_ext.engine import checkpoint as module
from scclr_ext.engine.checkpoint import Checkpoints, check_resume, identify
from scclr_ext.engine.methods import METHODS, ClearConfig, ContrastiveSCConfig, Method, ScclrConfig
from scclr_ext.engine.run import run

BATCHES = np.repeat([0, 1], 10)
CONFIGS = {
    "scclr": ScclrConfig(steps=20, batch_size=6, hidden=(8,), embedding_dim=4, head=(4,)),
    "clear": ClearConfig(steps=20, batch_size=6, hidden=(8,), embedding_dim=4, queue_size=9),
    "contrastive-sc": ContrastiveSCConfig(
        epochs=6, steps=None, batch_size=6, hidden=(8,), embedding_dim=4, schedule="cosine"
    ),
    "early": ScclrConfig(steps=150, batch_size=6, hidden=(8,), embedding_dim=4, head=(4,), early_stopping=True),
}


class Killed(BaseException):
    """What no `except Exception` catches."""


@pytest.fixture
def at_every_row(monkeypatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.0)


def kill_at(monkeypatch, config, step: int) -> None:
    kind = next(row.build for row in METHODS.values() if isinstance(config, row.config))
    done, after_step = 0, kind.after_step

    def dying(self: Method) -> None:
        nonlocal done
        done += 1
        if done == step:
            raise Killed
        after_step(self)

    monkeypatch.setattr(kind, "after_step", dying)


@pytest.mark.parametrize("batches", [None, BATCHES], ids=["one batch", "two batches"])
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("step", [1, 20])
def test_the_same_bits_as_without_the_interruption(tiny, tmp_path, at_every_row, name, batches, step) -> None:
    config = CONFIGS[name]
    options = {"batches": batches, "device": "cpu", "random_state": 3, "progress": False}
    whole = run(config, tiny, **options)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, config, step * 3 if config.early_stopping else step)  # after two looks at the stability
        with pytest.raises(Killed):
            run(config, tiny, **options, checkpoint_dir=tmp_path / "new" / "folder")
    saved = tmp_path / "new" / "folder" / "checkpoint.pt"
    assert saved.exists() == (step > 1)
    resumed = run(config, tiny, **options, checkpoint_dir=tmp_path / "new" / "folder", resume=True)
    assert np.array_equal(resumed.embedding, whole.embedding)
    for column, values in whole.history.items():
        assert np.array_equal(resumed.history[column], values, equal_nan=True), column


def test_a_finished_training_is_not_repeated(tiny, tmp_path, monkeypatch) -> None:
    first = run(CONFIGS["clear"], tiny, device="cpu", progress=False, checkpoint_dir=tmp_path)
    kill_at(monkeypatch, CONFIGS["clear"], 1)
    again = run(CONFIGS["clear"], tiny, device="cpu", progress=False, checkpoint_dir=tmp_path, resume=True)
    assert np.array_equal(first.embedding, again.embedding)


def test_another_run_is_refused(tiny, tmp_path) -> None:
    config = CONFIGS["scclr"]
    options = {"device": "cpu", "progress": False, "checkpoint_dir": tmp_path}
    run(config, tiny, **options)
    for other, matrix, changes in [
        (replace(config, learning_rate=0.1), tiny, {}),
        (config, tiny * 1.1, {}),
        (config, tiny, {"random_state": 1}),
        (config, tiny, {"batches": BATCHES}),
        (CONFIGS["clear"], tiny, {}),
    ]:
        with pytest.raises(ValueError, match="other data, settings or seed; name another `checkpoint_dir`"):
            run(other, matrix, **{**options, **changes}, resume=True)


class Elsewhere:
    """Rows that are not in memory."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.shape = matrix.shape
        self._matrix = matrix

    def read(self, cells: np.ndarray) -> np.ndarray:
        return self._matrix[cells]


def test_cells_in_another_order_are_another_run(tiny, tmp_path) -> None:
    config = replace(CONFIGS["clear"], neighbor_probability=0.0, cross_batch_probability=0.0)
    options = {"device": "cpu", "progress": False, "checkpoint_dir": tmp_path}
    little, much = tiny.nbytes // 2, 2 * tiny.nbytes
    first = run(config, Elsewhere(tiny), **options, max_bytes=little)
    with pytest.raises(ValueError, match="their order also depends on how much"):
        run(config, Elsewhere(tiny), **options, max_bytes=much, resume=True)
    again = run(config, Elsewhere(tiny), **options, max_bytes=little, resume=True)
    assert np.array_equal(first.embedding, again.embedding)


def test_nothing_is_overwritten_unasked(tiny, tmp_path) -> None:
    options = {"device": "cpu", "progress": False, "checkpoint_dir": tmp_path}
    run(CONFIGS["scclr"], tiny, **options)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(FileExistsError, match="resume=True"):
        run(CONFIGS["scclr"], tiny, **options)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "pickle"])
def test_a_damaged_file_is_named(tiny, tmp_path, damage) -> None:
    options = {"device": "cpu", "progress": False, "checkpoint_dir": tmp_path}
    run(CONFIGS["scclr"], tiny, **options)
    file = tmp_path / "checkpoint.pt"
    if damage == "pickle":
        torch.save({"run": Killed, "state": {}}, file)  # would have to import something
    else:
        content = file.read_bytes()
        file.write_bytes({"truncated": content[: len(content) // 2], "garbage": b"x" * 99, "empty": b""}[damage])
    with pytest.raises(ValueError, match="checkpoint.pt is no checkpoint of ours .*remove it to start anew"):
        run(CONFIGS["scclr"], tiny, **options, resume=True)


def test_a_failed_writing_leaves_the_last_checkpoint(tmp_path, monkeypatch) -> None:
    checkpoints = Checkpoints(tmp_path, "a", resume=True)
    assert checkpoints.load() is None
    checkpoints.save({"step": 1})

    def full(state, file) -> None:
        file.write_bytes(b"half")
        msg = "No space left on device"
        raise OSError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.warns(UserWarning, match=r"could not be saved to .*checkpoint.pt \(No space left.*goes on"):
            checkpoints.save({"step": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert checkpoints.load() == {"step": 1}
    with monkeypatch.context() as patch, pytest.warns(UserWarning, match=r"checkpoint.pt \(OSError\)"):
        patch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError()))
        checkpoints.save({"step": 3})


def test_a_training_outlives_its_checkpoint(tiny, tmp_path, at_every_row, monkeypatch) -> None:
    options = {"device": "cpu", "progress": False}
    expected = run(CONFIGS["scclr"], tiny, **options).embedding

    def refuse(*args, **kwargs) -> None:
        msg = "[enforce fail at inline_container.cc:747] . open file failed\nof which nobody needs more"
        raise RuntimeError(msg)

    monkeypatch.setattr(torch, "save", refuse)
    with pytest.warns(UserWarning, match=r"could not be saved to .*open file failed\)\. The training goes on"):
        found = run(CONFIGS["scclr"], tiny, **options, checkpoint_dir=tmp_path).embedding
    assert np.array_equal(found, expected)


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    for resume in (False, True):
        with pytest.raises(NotADirectoryError, match=r"`checkpoint_dir` is the file .*file; name a folder"):
            check_resume(tmp_path / "file", resume=resume)

    def refuse(*args) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match=r"Nothing can be saved in `checkpoint_dir`, .*\(Permission denied\)"):
        Checkpoints(tmp_path, "a")
    with pytest.raises(OSError, match=r"Nothing can be saved in `checkpoint_dir`, .*\(Not a directory\)"):
        Checkpoints(tmp_path / "file" / "below", "a")


def test_a_job_that_was_started_twice(tmp_path, monkeypatch) -> None:
    first, second = Checkpoints(tmp_path, "a", resume=True), Checkpoints(tmp_path, "a", resume=True)
    save = torch.save

    def meanwhile(state, file) -> None:
        save(state, file)
        monkeypatch.setattr(torch, "save", save)
        second.save({"step": 2})
        Checkpoints(tmp_path, "a", resume=True)  # looks whether it can write there
        assert second.load() == {"step": 2}

    monkeypatch.setattr(torch, "save", meanwhile)
    first.save({"step": 1})
    assert first.load() == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_it_does_not_write_all_the_time(tmp_path, monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    checkpoints = Checkpoints(tmp_path, "a")
    assert not checkpoints.due
    now += 11
    assert checkpoints.due
    checkpoints.save({})
    assert not checkpoints.due


def test_the_name_of_a_run_depends_on_all_of_it() -> None:
    mean, std = np.arange(3.0), np.ones(3)
    names = {
        identify(ScclrConfig(), mean, std, None, seed=0),
        identify(ClearConfig(), mean, std, None, seed=0),
        identify(ScclrConfig(steps=1), mean, std, None, seed=0),
        identify(ScclrConfig(), std, mean, None, seed=0),
        identify(ScclrConfig(), mean, std, BATCHES, seed=0),
        identify(ScclrConfig(), mean, std, None, seed=1),
    }
    assert len(names) == 6
    assert identify(ScclrConfig(), mean, std, None, seed=0) in names


def test_a_run_on_another_kind_of_device_is_another_run(tiny, tmp_path, monkeypatch) -> None:
    told = {}
    run_module = sys.modules["scclr_ext.engine.run"]
    monkeypatch.setattr(run_module, "identify", lambda *_, **others: told.update(others) or "name")
    run(CONFIGS["scclr"], tiny, device="cpu", progress=False, checkpoint_dir=tmp_path)
    assert told["device"] == "cpu"


KILLS_ITSELF = """
import os, signal, sys
import numpy as np
import torch
from scclr_ext.engine import checkpoint
from scclr_ext.engine.methods import Scclr, ScclrConfig
from scclr_ext.engine.run import run
checkpoint._SECONDS = 0.0
torch.set_num_threads(int(sys.argv[3]))  # as many as in the process that goes on
config = ScclrConfig(steps=20, batch_size=6, hidden=(8,), embedding_dim=4, head=(4,))
after_step, done = Scclr.after_step, []
def dying(self):
    done.append(1)
    if len(done) == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    after_step(self)
Scclr.after_step = dying
run(config, np.load(sys.argv[1]), device="cpu", random_state=3, progress=False, checkpoint_dir=sys.argv[2])
"""


def test_a_killed_process_loses_nothing(tiny, tmp_path) -> None:
    np.save(tmp_path / "cells.npy", tiny)
    command = [sys.executable, "-c", KILLS_ITSELF, str(tmp_path / "cells.npy"), str(tmp_path)]
    command += [str(torch.get_num_threads())]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    options = {"device": "cpu", "random_state": 3, "progress": False}
    resumed = run(CONFIGS["scclr"], tiny, **options, checkpoint_dir=tmp_path, resume=True)
    assert np.array_equal(resumed.embedding, run(CONFIGS["scclr"], tiny, **options).embedding)
