"""What a call leaves behind and what others can do to it: threads, processes, seeds, settings of other libraries."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

import scclr_ext as clr
from anndata_state import freeze, freeze_adata
from hostile.rows import ROWS, make_counts, make_ready
from scclr_ext.engine.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK: dict[str, Any] = {"device": "cpu", "progress": False}

# A training of a few steps has learned nothing, and three points are few, as the calls rightly say.
pytestmark = pytest.mark.filterwarnings("ignore:(Do not trust|The contributions to):UserWarning")


def logged(seed: int = 0) -> ad.AnnData:
    rng = np.random.default_rng(seed)
    return ad.AnnData((rng.gamma(1.0, 1.0, (120, 80)) * (rng.random((120, 80)) < 0.5)).astype(np.float32))


def embedding(seed: int = 0, method: str = "scclr", n_steps: int = 6) -> np.ndarray:
    adata = logged(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clr.tl.contrastive_embed(adata, method, n_steps=n_steps, random_state=seed, **QUICK)
    return adata.obsm["X_clr"]


# Nothing is left in global state


def global_state() -> dict[str, Any]:
    root, own = logging.getLogger(), logging.getLogger("scclr_ext")
    return {
        "numpy seed": freeze(np.random.get_state()[1]),
        "torch seed": freeze(torch.get_rng_state().numpy()),
        "Python's seed": random.getstate(),
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch dtype": torch.get_default_dtype(),
        "torch switches": (
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            torch.backends.mkldnn.enabled,
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_enabled("cpu"),
        ),
        "numpy errors": np.geterr(),
        "matplotlib": {**mpl.rcParams},
        "figures": plt.get_fignums(),
        "warnings": list(warnings.filters),
        "logging": (root.level, list(root.handlers), own.level, list(own.handlers), own.propagate),
        "threads that live": {t.name for t in threading.enumerate() if t.is_alive() and not t.daemon},
        "folder": (Path.cwd(), sorted(os.listdir())),  # noqa: PTH208
        "environment": dict(os.environ),
        "hooks": (sys.excepthook, threading.excepthook, warnings.showwarning),
    }


def seed_everything(seed: int) -> None:
    np.random.seed(seed)
    torch.manual_seed(seed)
    random.seed(seed)


@pytest.fixture(scope="module")
def bases() -> dict[str, ad.AnnData]:
    return {"counts": make_counts(), "ready": make_ready()}


@pytest.mark.parametrize("name", list(ROWS))
def test_nothing_is_left_behind(bases, name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ROWS[name].call(bases[ROWS[name].base].copy())  # what other libraries set up once, at their first use, is theirs
    plt.close("all")
    seed_everything(12345)  # a call that seeds would leave another state
    before = global_state()
    ROWS[name].call(bases[ROWS[name].base].copy())
    if name.startswith("pl."):
        plt.close("all")
    after = global_state()
    assert [part for part in before if before[part] != after[part]] == []


def test_nothing_is_left_behind_by_a_failure(monkeypatch) -> None:
    from scclr_ext.engine import run

    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "fit", stop)
    seed_everything(12345)
    before = global_state()
    with pytest.raises(KeyboardInterrupt):
        embedding()
    after = global_state()
    assert [part for part in before if before[part] != after[part]] == []


# What a notebook has set of PyTorch changes nothing


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def everything() -> Iterator[None]:
    autocast = torch.autocast("cpu", torch.bfloat16)
    with torch.inference_mode(), torch.no_grad(), torch.device("meta"), autocast, default_dtype():
        yield


def without_times(adata: ad.AnnData) -> dict[str, Any]:
    for record in adata.uns.values():
        if isinstance(record, dict):
            record.pop("seconds", None)
    return freeze_adata(adata)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "io.save"])
def test_functions_do_the_same_whatever_torch_was_told(bases, name) -> None:
    usual, beside = (bases[ROWS[name].base].copy() for _ in range(2))
    expected = ROWS[name].call(usual)
    with everything():
        result = ROWS[name].call(beside)
        assert torch.get_default_dtype() == torch.float64
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.empty(0).is_meta
    assert without_times(beside) == without_times(usual)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(result, expected)


@pytest.mark.parametrize(
    "told",
    [torch.no_grad, torch.inference_mode, default_dtype, lambda: torch.device("meta"), lambda: torch.autocast("cpu")],
    ids=["no_grad", "inference_mode", "dtype", "device", "autocast"],
)
@pytest.mark.parametrize("method", list(METHODS))
def test_embeddings_are_the_same_whatever_torch_was_told(method, told) -> None:
    expected = embedding(0, method)
    with told():
        found = embedding(0, method)
    assert freeze(found) == freeze(expected)


# The same seed


@pytest.mark.parametrize("method", list(METHODS))
def test_the_same_seed_gives_the_same_bits_whatever_ran_before(method) -> None:
    first = embedding(0, method)
    np.random.seed(1)
    torch.manual_seed(2)
    embedding(5, method)
    torch.rand(3)
    assert freeze(embedding(0, method)) == freeze(first)


def test_cells_of_a_notebook_in_either_order() -> None:
    def cells(order: str) -> tuple[Any, ...]:
        adata = logged()
        steps = {
            "e": lambda: clr.tl.contrastive_embed(adata, "scclr", n_steps=4, key_added="e", **QUICK),
            "f": lambda: clr.tl.contrastive_embed(adata, "clear", n_steps=4, key_added="f", random_state=3, **QUICK),
            "d": lambda: clr.pp.simulate_dropout(adata, 0.0),
        }
        for step in order:
            steps[step]()
        return freeze(adata.obsm["e"]), freeze(adata.obsm["f"])

    assert cells("edf") == cells("fde")


def test_another_number_of_threads_changes_rounding_only() -> None:
    # Sums over cells are cut into as many parts as there are threads: the docs promise the same bits for the same
    # number only.
    n = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one, again = embedding(), embedding()
        torch.set_num_threads(2)
        two, twice = embedding(), embedding()
    finally:
        torch.set_num_threads(n)
    assert freeze(one) == freeze(again)
    assert freeze(two) == freeze(twice)
    np.testing.assert_allclose(one, two, rtol=0.02, atol=0.02 * np.abs(one).max())


# Threads


def test_two_embeddings_in_two_threads() -> None:
    alone = [embedding(seed) for seed in range(2)]
    filters = list(warnings.filters)
    together = threading.Barrier(2)

    def run(seed: int) -> Any:
        adata = logged(seed)
        together.wait()
        clr.tl.contrastive_embed(adata, "scclr", n_steps=6, random_state=seed, **QUICK)
        return adata.obsm["X_clr"]

    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            for beside, before in zip(pool.map(run, range(2)), alone, strict=True):
                # Linear algebra libraries may share their threads out differently: no promise of the same bits.
                np.testing.assert_allclose(beside, before, rtol=0.02, atol=0.02 * np.abs(before).max())
        assert list(warnings.filters) == filters


# Processes, each started from an interpreter of its own: threads of this one would not survive a fork.


@pytest.mark.parametrize(
    "start", ["spawn", pytest.param("fork", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"))]
)
def test_a_worker_embeds_the_same(tmp_path, start) -> None:
    code = f"""
import multiprocessing as mp
import numpy as np, torch, anndata as ad
import scclr_ext as clr

def work(path):
    torch.set_num_threads(1)
    adata = ad.AnnData(np.load(path))
    clr.tl.contrastive_embed(adata, "scclr", n_steps=6, random_state=3, device="cpu", progress=False)
    return adata.obsm["X_clr"]

if __name__ == "__main__":
    here = work({str(tmp_path / "in.npy")!r})
    with mp.get_context({start!r}).Pool(1) as pool:
        there = pool.apply_async(work, [{str(tmp_path / "in.npy")!r}]).get(120)
    np.save({str(tmp_path / "out.npy")!r}, np.stack([here, there]))
"""
    np.save(tmp_path / "in.npy", logged(3).X)
    (tmp_path / "script.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(clr.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    here, there = np.load(tmp_path / "out.npy")
    assert freeze(here) == freeze(there)
