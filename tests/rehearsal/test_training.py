"""Trainings on the pretend device: they end where the CPU's do, and wait for the device where a row is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import scclr_ext as clr
from rehearsal import pretend
from scclr_ext.engine import checkpoint, device, feed, history
from scclr_ext.engine.feed import Feed
from scclr_ext.engine.history import History
from scclr_ext.engine.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

# A training of a few steps has learned nothing, as the calls rightly say.
pytestmark = pytest.mark.filterwarnings("ignore:Do not trust:UserWarning")

each_method = pytest.mark.parametrize("method", METHODS)
with_batches = pytest.mark.parametrize("batch_key", [None, "batch"], ids=["one batch", "two batches"])
dense_or_sparse = pytest.mark.parametrize("kind", ["dense", "sparse"])
SHORT: dict[str, Any] = {"n_steps": 24, "batch_size": 32}


@pytest.fixture
def logged(counts: AnnData) -> AnnData:
    clr.pp.contrastive_preprocess(counts)
    return counts


def train(adata: AnnData, method: str, *, kind: str = "sparse", **options: Any) -> AnnData:
    """Train on a copy; on the device that "auto" finds, unless another is named."""
    adata = adata.copy()
    adata.X = adata.X.toarray() if kind == "dense" else adata.X
    clr.tl.contrastive_embed(adata, method, progress=False, **options)
    return adata


def bits(adata: AnnData) -> tuple[bytes, bytes]:
    return adata.obsm["X_clr"].tobytes(), adata.uns["clr"]["history"]["loss"].tobytes()


def purity(adata: AnnData) -> float:
    """Share of the ten nearest neighbours that are of a cell's own group."""
    group = adata.obs["group"].to_numpy()
    near = NearestNeighbors(n_neighbors=10).fit(adata.obsm["X_clr"]).kneighbors(return_distance=False)
    return float((group[near] == group[:, None]).mean())


def assert_alike(ours: AnnData, expected: AnnData) -> None:
    """As good, and as wide, as other random numbers make it."""
    assert purity(expected) > 0.9
    assert purity(ours) > purity(expected) - 0.05
    assert ours.obsm["X_clr"].std() == pytest.approx(expected.obsm["X_clr"].std(), rel=0.2)
    losses = [adata.uns["clr"]["history"]["loss"][-5:].mean() for adata in (ours, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


@with_batches
@each_method
def test_as_good_as_on_the_cpu(logged, method, batch_key) -> None:
    options: dict[str, Any] = {"batch_key": batch_key, "n_steps": 100}
    expected = train(logged, method, device="cpu", **options)
    for kind in ("sparse", "dense"):
        ours = train(logged, method, kind=kind, **options)
        assert ours.uns["clr"]["device"] == "pretend:0"
        assert_alike(ours, expected)
        if method == "scclr" and kind == "sparse":  # the only one whose views the CPU draws by the same operations
            np.testing.assert_allclose(ours.obsm["X_clr"], expected.obsm["X_clr"], atol=1e-4)


@pytest.mark.parametrize(
    ("capability", "asked", "expected"),
    [((7, 5), "auto", "float32"), ((8, 0), "auto", "bf16"), ((9, 0), "float32", "float32"), ((8, 0), "tf32", "tf32")],
)
@each_method
def test_precision(logged, monkeypatch, method, capability, asked, expected) -> None:
    single = train(logged, method, precision="float32", **SHORT)
    monkeypatch.setattr(pretend, "capability", capability)
    ours = train(logged, method, precision=asked, **SHORT)
    assert ours.uns["clr"]["precision"] == expected
    assert (bits(ours) != bits(single)) == (expected == "bf16")
    loss, loss_single = (adata.uns["clr"]["history"]["loss"] for adata in (ours, single))
    np.testing.assert_allclose(loss, loss_single, rtol=0.05)


def test_bf16_is_as_good(logged, monkeypatch) -> None:
    expected = train(logged, "scclr", n_steps=100)
    monkeypatch.setattr(pretend, "capability", (9, 0))
    assert_alike(train(logged, "scclr", n_steps=100), expected)


@pytest.fixture
def steps(monkeypatch) -> Iterator[list[int]]:
    """Make it an error to wait for the device within a step; rows of the history, written after it, may. A log."""
    monkeypatch.setattr(history, "_RECORDS", 1)  # steps without a row: what is read ahead may not wait either
    take, add, taken = Feed.take, History.add, []

    def guarded_take(self: Feed, *, more: bool) -> feed.Minibatch:
        pretend.forbid_waits(True)
        taken.append(1)
        return take(self, more=more)

    def guarded_add(self: History, output: Any) -> None:
        add(self, output)
        pretend.forbid_waits(False)

    monkeypatch.setattr(Feed, "take", guarded_take)
    monkeypatch.setattr(History, "add", guarded_add)
    yield taken
    pretend.forbid_waits(False)


@dense_or_sparse
@pytest.mark.parametrize("free", [2**40, 0], ids=["held", "fetched"])
@with_batches
@each_method
def test_a_step_never_waits_for_the_device(logged, monkeypatch, steps, method, batch_key, free, kind) -> None:
    monkeypatch.setattr(pretend, "free_bytes", free)
    monkeypatch.setattr(pretend, "capability", (9, 0))
    train(logged, method, kind=kind, batch_key=batch_key, early_stopping=True, **SHORT)
    assert len(steps) == SHORT["n_steps"]


def test_longer_trainings_wait_no_more_often(logged, monkeypatch) -> None:
    monkeypatch.setattr(history, "_RECORDS", 4)
    waited = []
    for n_steps in (24, 48):
        pretend.forget()
        adata = train(logged, "clear", batch_key="batch", batch_size=4, n_steps=n_steps)
        assert len(adata.uns["clr"]["history"]["loss"]) == 4
        waited.append(pretend.waits())
    assert waited[0] == waited[1]


@dense_or_sparse
@with_batches
@each_method
def test_what_does_not_fit_is_read_ahead_and_gives_the_same_bits(logged, monkeypatch, method, batch_key, kind) -> None:
    held = train(logged, method, kind=kind, batch_key=batch_key, **SHORT)
    monkeypatch.setattr(pretend, "free_bytes", 1000)
    pretend.forget()
    fetched = train(logged, method, kind=kind, batch_key=batch_key, **SHORT)
    assert pretend.copies(pinned=True) >= SHORT["n_steps"]
    assert bits(fetched) == bits(held)


class Killed(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize("free", [2**40, 0], ids=["held", "fetched"])
@each_method
def test_a_training_that_was_killed_goes_on_to_the_same_bits(logged, monkeypatch, tmp_path, method, free) -> None:
    monkeypatch.setattr(pretend, "free_bytes", free)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)  # at every row
    options: dict[str, Any] = {"batch_key": "batch", **SHORT}
    expected = train(logged, method, **options)
    add, added = History.add, []

    def dying_add(self: History, output: Any) -> None:
        added.append(1)
        if len(added) == 10:
            raise Killed
        add(self, output)

    options["checkpoint_dir"] = tmp_path
    with monkeypatch.context() as patch:
        patch.setattr(History, "add", dying_add)
        with pytest.raises(Killed):
            train(logged, method, **options)
    assert (tmp_path / "checkpoint.pt").exists()
    assert bits(train(logged, method, resume=True, **options)) == bits(expected)
    with pytest.raises(ValueError, match="other data, settings or seed"):
        train(logged, method, resume=True, device="cpu", **options)


@pytest.mark.parametrize("preset", ["paper", "code"])
@pytest.mark.parametrize("method", ["clear", "contrastive-sc"])
def test_published_presets(counts, method, preset) -> None:
    clr.pp.contrastive_preprocess(counts, method)
    adata = train(counts, method, preset=preset, n_epochs=2)
    assert np.isfinite(adata.obsm["X_clr"]).all()


def test_auto_takes_the_gpu() -> None:
    assert str(device.device_of("auto")) == str(device.device_of("pretend")) == "pretend:0"
