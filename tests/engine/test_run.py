"""From matrix to embedding, for every method."""

from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

import scclr_ext
from scclr_ext._values.stored import StoredRows
from scclr_ext.engine.components import principal_components
from scclr_ext.engine.methods import METHODS
from scclr_ext.engine.partners import partners
from scclr_ext.engine.run import Run, run
from scclr_ext.engine.sampling import Shuffled, WithinBatches
from scclr_ext.engine.stopping import Stability

# `scclr_ext.engine.run` the module; tests replace what it calls.
MODULE = importlib.import_module("scclr_ext.engine.run")
EVERY_PRESET = [(name, preset) for name, row in METHODS.items() for preset in row.presets]
every_method = pytest.mark.parametrize("method", METHODS)
every_preset = pytest.mark.parametrize(("method", "preset"), EVERY_PRESET)


def short(method: str, preset: str = "default", *, steps: int = 4, **values):
    config = METHODS[method].presets[preset]
    return replace(config, epochs=None, steps=steps, **values)


def train(config, matrix, **values) -> Run:
    return run(config, matrix, **{"device": "cpu", "progress": False, **values})


def same_bits(one: Run, two: Run) -> bool:
    return (
        one.embedding.tobytes() == two.embedding.tobytes()
        and all(np.array_equal(one.history[name], two.history[name]) for name in one.history)
        and all(
            torch.equal(a, b)
            for a, b in zip(one.method.state_dict().values(), two.method.state_dict().values(), strict=True)
        )
    )


# What comes out


@every_preset
def test_every_preset_runs(method, preset, tiny) -> None:
    result = train(short(method, preset), tiny)
    config = result.method.config
    linear = 14 if getattr(config, "pca", False) else 0  # one principal component fewer than genes
    assert result.embedding.shape == (20, config.embedding_dim + linear)
    assert result.embedding.dtype == np.float32
    assert np.isfinite(result.embedding).all()
    assert result.history["step"].tolist() == [1, 2, 3, 4]
    assert np.isfinite(result.history["loss"]).all()
    assert result.device == "cpu"
    assert result.data.n_cells == 20
    assert result.data.n_genes == 15
    assert result.data.mean == pytest.approx(tiny.mean(0), rel=1e-5)
    assert result.data.std == pytest.approx(tiny.std(0, ddof=1), rel=1e-5)


@pytest.fixture(scope="module", params=METHODS)
def trained(request, log_counts) -> Run:
    """The method's default preset, a few steps long, on the simulated cells."""
    return train(short(request.param, steps=30), log_counts)


def test_the_loss_falls(trained) -> None:
    loss = trained.history["loss"][1:]  # at the first step CLEAR's queue holds random vectors, not keys
    assert loss[-3:].mean() < 0.95 * loss[:3].mean()
    assert loss[-1] < trained.history["chance"][-1]


def test_the_groups_come_apart(trained, _counts) -> None:
    found = KMeans(3, n_init=5, random_state=0).fit_predict(trained.embedding)
    assert adjusted_rand_score(_counts.obs["group"], found) > 0.8


def test_training_makes_the_groups_stand_out(trained, log_counts, _counts) -> None:
    if getattr(trained.method.config, "start_from_pca", False):  # from there they stand out before any training
        trained = train(replace(trained.method.config, start_from_pca=False), log_counts)
    config = replace(trained.method.config, steps=1, learning_rate=1e-12)
    untrained = train(config, log_counts)
    before, after = (silhouette_score(r.embedding, _counts.obs["group"]) for r in (untrained, trained))
    assert after > before + 0.08


# Reproducibility


@every_method
def test_same_seed_same_bits(method, tiny) -> None:
    first, again, other = (train(short(method), tiny, random_state=seed) for seed in (0, 0, 1))
    assert same_bits(first, again)
    assert not same_bits(first, other)
    assert not np.allclose(first.embedding, other.embedding)


SCRIPT = """
import hashlib
from dataclasses import replace
import numpy as np
from scclr_ext.engine.methods import METHODS
from scclr_ext.engine.run import run

def digests():
    x = np.log1p(np.random.default_rng(0).poisson(1.0, size=(40, 30))).astype(np.float32)
    for name, row in METHODS.items():
        for batches in (None, np.arange(40) % 2):
            config = replace(row.presets["default"], epochs=None, steps=5)
            result = run(config, x, batches=batches, device="cpu", progress=False)
            parts = [result.embedding, *result.history.values()]
            yield name, hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()
"""


@pytest.mark.parametrize("method", METHODS)
def test_products_in_bf16(method, tiny) -> None:
    full, half, again = (train(short(method), tiny, precision=p) for p in ("float32", "bf16", "bf16"))
    assert (full.precision, half.precision) == ("float32", "bf16")
    assert same_bits(half, again)
    assert not same_bits(full, half)
    assert half.embedding.dtype == np.float32
    assert half.history["loss"] == pytest.approx(full.history["loss"], rel=0.05)


def test_same_seed_same_bits_in_another_process() -> None:
    # Here, and in a new process, in which sets and dictionaries have other hashes.
    space: dict = {}
    exec(SCRIPT, space)
    here = "".join(f"{name} {digest}\n" for name, digest in space["digests"]())
    root = str(Path(scclr_ext.__file__).parents[1])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH")) if p)
    there = subprocess.run(
        [sys.executable, "-c", f"{SCRIPT}\nfor name, digest in digests(): print(name, digest)"],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert there.returncode == 0, there.stderr
    assert there.stdout == here
    assert len(set(here.split())) == 3 * len(METHODS), "a digest that tells nothing apart proves nothing"


@every_preset
def test_global_generators_are_not_touched(method, preset, tiny) -> None:
    def states() -> tuple[bytes, bytes, int, object]:
        numpy_state = np.random.get_state()
        return torch.get_rng_state().numpy().tobytes(), numpy_state[1].tobytes(), numpy_state[2], random.getstate()

    before = states()
    train(short(method, preset), tiny)
    assert states() == before


@every_method
def test_global_generators_do_not_matter(method, tiny) -> None:
    found = []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found.append(train(short(method), tiny))
    assert same_bits(*found)


@every_method
def test_the_matrix_stays_as_it_was(method, tiny) -> None:
    for matrix in (tiny.copy(), sparse.csr_matrix(tiny)):
        values = matrix if isinstance(matrix, np.ndarray) else matrix.data
        before = values.copy()
        values.setflags(write=False)
        train(short(method), matrix)
        assert np.array_equal(values, before)


# What goes in


@every_method
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_and_dense_are_the_same_cells(method, kind, tiny) -> None:
    # At a rate this small the last digits of the genes' moments cannot grow.
    config = short(method, steps=2, learning_rate=1e-6)
    dense, from_sparse = train(config, tiny), train(config, kind(tiny))
    assert from_sparse.embedding == pytest.approx(dense.embedding, abs=1e-3)
    assert from_sparse.history["loss"] == pytest.approx(dense.history["loss"], rel=1e-3)


@every_preset
def test_a_sparse_matrix_stays_sparse(method, preset, tiny, monkeypatch) -> None:
    matrix = sparse.csr_matrix(tiny)

    def guarded(original):
        def convert(self, *args, **kwargs):
            assert not np.shares_memory(self.data, matrix.data), "the matrix was made dense, not a minibatch"
            return original(self, *args, **kwargs)

        return convert

    for name in ("toarray", "todense"):
        monkeypatch.setattr(sparse.csr_matrix, name, guarded(getattr(sparse.csr_matrix, name)))
    train(short(method, preset, steps=1), matrix)


@every_preset
@pytest.mark.parametrize("n", [2, 3])
def test_a_handful_of_cells(method, preset, n, tiny) -> None:
    result = train(short(method, preset, steps=2), tiny[:n])
    assert result.embedding.shape[0] == n
    assert np.isfinite(result.embedding).all()


@every_preset
@pytest.mark.parametrize("batch_size", [2, 7, 19])
def test_any_batch_size(method, preset, batch_size, tiny) -> None:
    # 20 = 6 + 7 + 7 = 19 + 1: a part of a batch, or a single cell, is left over
    result = train(short(method, preset, batch_size=batch_size), tiny)
    assert np.isfinite(result.embedding).all()


@every_method
def test_genes_that_never_vary_are_no_error(method, tiny) -> None:
    matrix = tiny.copy()
    matrix[:, :3] = 0
    matrix[:, 3] = 1.5
    assert np.isfinite(train(short(method), matrix).embedding).all()


@pytest.fixture
def samplers(monkeypatch) -> list:
    """Every sampler that `run` hands to `fit`."""
    seen = []
    original = MODULE.fit

    def fit(method, source, sampler, **values):
        seen.append(sampler)
        return original(method, source, sampler, **values)

    monkeypatch.setattr(MODULE, "fit", fit)
    return seen


@every_method
def test_batches_decide_who_shares_a_minibatch(method, tiny, samplers) -> None:
    codes = np.arange(20) % 3
    train(short(method, batch_size=4, steps=8), tiny, batches=codes)
    (sampler,) = samplers
    assert isinstance(sampler, WithinBatches)
    assert sampler.batch_size == 4
    assert [group.tolist() for group in sampler.groups] == [np.flatnonzero(codes == c).tolist() for c in range(3)]


@every_method
@pytest.mark.parametrize("code", [0, 3])
def test_one_batch_is_no_batch(method, code, tiny, samplers) -> None:
    with_one, without = train(short(method), tiny, batches=np.full(20, code)), train(short(method), tiny)
    assert isinstance(samplers[0], Shuffled)
    assert same_bits(with_one, without)


@every_method
def test_a_very_small_batch_is_trained_with_the_largest(method, tiny, samplers) -> None:
    codes = np.array([0] * 9 + [1] * 10 + [2])
    alone = train(short(method, batch_size=4, steps=8), tiny, batches=codes)
    joined = train(short(method, batch_size=4, steps=8), tiny, batches=np.minimum(codes, 1))
    assert [len(group) for group in samplers[0].groups] == [9, 11]
    assert same_bits(alone, joined), "the partners in other batches know of it, too"
    rest = train(short(method, batch_size=4, steps=8), tiny, batches=np.array([0] * 19 + [1]))
    assert same_bits(rest, train(short(method, batch_size=4, steps=8), tiny)), "what is left is one batch"


@every_method
@pytest.mark.parametrize("told", [False, True])
def test_amid_nothing_but_noise_no_neighbours_are_looked_up(method, told, monkeypatch) -> None:
    def fail(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(MODULE, "nearest_neighbors", fail)
    monkeypatch.setattr(MODULE, "partners", fail)
    rng = np.random.default_rng(0)
    noise = (rng.normal(size=(300, 80)) * rng.lognormal(0, 0.1, (300, 1)) + 5).astype(np.float32)
    batches = np.arange(300) % 2 if told else None
    assert np.isfinite(train(short(method), noise, batches=batches).embedding).all()
    if METHODS[method].presets["default"].stand_in_probability(batched=told) > 0:
        signal = noise + 3 * (np.arange(300) < 150)[:, None] * (np.arange(80) < 40).astype(np.float32)
        with pytest.raises(AssertionError):
            train(short(method), signal, batches=batches)


def test_with_batches_stands_beside_what_they_agree_on(tiny) -> None:
    codes = np.arange(20) % 2
    result = train(short("scclr"), tiny, batches=codes, random_state=3)
    rep, axes, weights = principal_components(tiny, result.data.mean, result.data.std, 3)
    turn = partners(rep, weights, codes, 3, 3)[1]
    assert 0 < turn.shape[1]
    assert result.data.components == pytest.approx(turn.T @ axes, abs=1e-5)
    assert result.embedding.shape[1] == short("scclr").embedding_dim + turn.shape[1]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("scale", [False, True])
def test_the_linear_dimensions_are_components_of_the_standardised_genes(tiny, scale, told) -> None:
    codes = np.arange(20) % 2 if told else None
    result = train(short("scclr", scale=scale, n_neighbors=4), tiny, batches=codes, random_state=3)
    linear = result.embedding[:, short("scclr").embedding_dim :]
    std = np.where(result.data.std > 0, result.data.std, 1)
    axes = result.data.components * (1 if scale else std)
    expected = ((tiny - result.data.mean) / std) @ axes.T
    for found, wanted in zip(linear.T, expected.T, strict=True):
        assert np.corrcoef(found, wanted)[0, 1] == pytest.approx(1, abs=1e-4)
    if not told:
        assert np.abs(axes) == pytest.approx(
            np.abs(principal_components(tiny, result.data.mean, std, 3).axes), abs=1e-5
        )


def test_the_representation_that_is_looked_at_is_the_one_handed_out(tiny, monkeypatch) -> None:
    variances, look = [], Stability.look

    def watched(self, rep):
        variances.append([part.var(axis=0).sum() for part in np.split(rep, [short("scclr").embedding_dim], axis=1)])
        return look(self, rep)

    monkeypatch.setattr(Stability, "look", watched)
    train(short("scclr", steps=60, early_stopping=True), tiny)
    assert len(variances) > 1
    assert np.array(variances) == pytest.approx(1, rel=1e-3)


@every_method
def test_neighbours_are_of_other_batches_or_the_nearest(method, tiny, monkeypatch) -> None:
    seen, original = [], MODULE.fit
    monkeypatch.setattr(
        MODULE, "fit", lambda *args, **values: seen.append(values["neighbors"]) or original(*args, **values)
    )
    codes = np.arange(20) % 2
    config = short(method, neighbor_probability=0.5, cross_batch_probability=0.5, n_neighbors=4)
    train(config, tiny)
    train(config, tiny, batches=codes)
    train(replace(config, neighbor_probability=0.0), tiny)
    nearest, mutual, none = seen
    assert nearest.indptr.diff().tolist() == [3] * 20  # of so few cells four would be too many
    owner = np.repeat(np.arange(20), mutual.indptr.diff())
    assert len(owner) > 0
    assert (codes[owner] != codes[mutual.indices]).all()
    assert none is None


@every_method
def test_components_count_by_their_signal_among_neighbours(method, tiny, monkeypatch) -> None:
    seen, original = [], MODULE.nearest_neighbors
    monkeypatch.setattr(MODULE, "nearest_neighbors", lambda rep, *args: seen.append(rep) or original(rep, *args))
    weights, components = np.linspace(1, 0, 14, dtype=np.float32), MODULE.principal_components
    monkeypatch.setattr(MODULE, "principal_components", lambda *args: components(*args)._replace(weights=weights))
    config = short(method, neighbor_probability=0.5)
    train(replace(config, signal_neighbors=True), tiny)
    train(replace(config, signal_neighbors=False), tiny)
    weighted, plain = seen
    assert plain.shape == (20, 14)
    assert weighted == pytest.approx(plain * weights)


@pytest.mark.parametrize("method", ["scclr", "clear"])
@pytest.mark.parametrize("told", [False, True])
def test_where_the_first_layer_starts(method, told, log_counts, monkeypatch) -> None:
    starts, original = [], MODULE.build
    monkeypatch.setattr(
        MODULE, "build", lambda c, data, g: starts.append((data, original(c, data, g))) or starts[-1][1]
    )
    monkeypatch.setattr(MODULE, "fit", lambda *_, **__: {})
    batches = np.arange(log_counts.shape[0]) % 2 if told else None

    def first_weights(**values) -> tuple[np.ndarray, np.ndarray]:
        train(short(method, **values), log_counts, batches=batches)
        data, built = starts[-1]
        first = next(weight for name, weight in built.named_parameters() if name.endswith("0.weight"))
        return data.directions, first.detach().numpy()

    directions, leaning = first_weights(start_from_pca=True)
    within = np.linalg.svd(directions, full_matrices=False)[2]
    _, random = first_weights(start_from_pca=False)

    def share_within(weights: np.ndarray) -> float:
        return float(((weights @ within.T) ** 2).sum() / (weights**2).sum())

    assert share_within(random) < 0.3
    assert share_within(leaning) > 0.5
    assert np.linalg.norm(leaning, axis=1) == pytest.approx(np.linalg.norm(random, axis=1), rel=1e-5)
    if not told:
        data, _ = starts[-1]
        if method == "clear":  # its genes are not standardised
            std = np.where(data.std > 0, data.std, 1)
            data = data._replace(components=data.components * std, directions=data.directions * std)
        assert np.linalg.norm(data.components, axis=1) == pytest.approx(1, rel=1e-4)
        lengths = np.linalg.norm(data.directions, axis=1)
        assert (lengths <= 1 + 1e-6).all()
        assert lengths[0] > 0.9, "the groups"
        assert lengths[-1] < 0.5, "noise"
        assert data.directions == pytest.approx(lengths[:, None] * data.components, abs=1e-6)


@pytest.mark.parametrize("method", ["scclr", "clear"])
def test_no_neighbours_but_components(method, tiny) -> None:
    config = short(method, neighbor_probability=0.0, start_from_pca=True)
    assert len(train(config, tiny).data.components) == 14
    without = {"start_from_pca": False} | ({"pca": False} if method == "scclr" else {})
    assert train(replace(config, **without), tiny).data.components is None


@every_method
def test_no_more_cells_than_the_steps_can_show(method, tiny, monkeypatch) -> None:
    sources, original = [], MODULE.fit
    monkeypatch.setattr(
        MODULE, "fit", lambda m, s, *args, **values: sources.append(s) or original(m, s, *args, **values)
    )
    result = train(short(method, batch_size=4, steps=3), tiny)
    again = train(short(method, batch_size=4, steps=3), tiny)
    assert sources[0].shape == (12, 15)
    assert len(result.embedding) == 20, "all cells are embedded"
    assert same_bits(result, again)
    train(short(method, batch_size=4, steps=5), tiny)
    assert sources[2].shape == (20, 15)


@every_preset
def test_without_batches_the_config_decides(method, preset, tiny, samplers) -> None:
    train(short(method, preset, batch_size=8), tiny)
    (sampler,) = samplers
    assert isinstance(sampler, Shuffled)
    assert (sampler.batch_size, sampler.drop_last) == (8, METHODS[method].presets[preset].drop_last)


def test_a_device_that_is_not_there(tiny) -> None:
    with pytest.raises(ValueError, match="`device='cuda:99'`"):
        train(short("clear"), tiny, device="cuda:99")


@every_method
def test_progress_can_be_silenced(method, tiny, capfd) -> None:
    train(short(method), tiny)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", ["clear", "contrastive-sc"])
def test_a_training_that_diverges_says_so(method, tiny) -> None:
    with pytest.raises(FloatingPointError, match="`learning_rate`"):
        train(short(method, "paper", steps=60, learning_rate=1e38, optimizer="sgd", schedule="constant"), tiny)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_cells_that_are_all_alike(value, tiny) -> None:
    assert np.isfinite(train(short("scclr"), np.full_like(tiny, value)).embedding).all()


def test_a_step_budget_that_leaves_one_batch(tiny) -> None:
    codes = np.array([0] * 19 + [1])
    for seed in range(4):
        found = train(short("scclr", steps=1, batch_size=4), tiny, batches=codes, random_state=seed)
        assert np.isfinite(found.embedding).all()


def test_any_seed(tiny) -> None:
    for method in METHODS:
        assert np.isfinite(train(short(method, steps=1), tiny, random_state=2**40).embedding).all()


def test_a_training_that_diverges_at_its_last_step_says_so(tiny) -> None:
    config = short("contrastive-sc", steps=1, learning_rate=1e38, optimizer="sgd", schedule="constant")
    with pytest.raises(FloatingPointError, match="`learning_rate`"):
        train(config, tiny)


@pytest.mark.parametrize("progress", [True, False])
def test_the_progress_of_reading_is_shown_or_not(tiny, progress, capfd) -> None:
    train(short("scclr"), StoredRows(tiny, where="adata.X"), progress=progress)
    assert ("Reading" in capfd.readouterr().err) == progress
