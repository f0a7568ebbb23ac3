"""The sweep over candidates: its record, its choice, and large data by a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, confusion_matrix

import scclr_ext.tl._clustering.sweep as module
from scclr_ext.tl._clustering.partition import by_size
from scclr_ext.tl._clustering.spread import spread
from scclr_ext.tl._graph import neighbor_graph

if TYPE_CHECKING:
    from scclr_ext.tl._clustering.sweep import Sweep

CRITERIA = {
    "n_clusters",
    "modularity",
    "separation",
    "separation_q10",
    "calinski_harabasz",
    "silhouette",
    "score",
    "weight",
    "expected_ari",
}


def blobs(sizes, *, distance: float = 12.0, dims: int = 8, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return (np.eye(len(sizes), dims)[truth] * distance + rng.normal(size=(len(truth), dims))).astype(np.float32), truth


def sweep(rep, method: str = "leiden", *, batches=None, n_neighbors: int = 15, random_state: int = 0) -> Sweep:
    graph = neighbor_graph(rep, "X", n_neighbors, random_state).obsp["connectivities"]
    return module.sweep(rep, graph, method, batches=batches, n_neighbors=n_neighbors, random_state=random_state)


def equal(a: Sweep, b: Sweep) -> bool:
    np.testing.assert_equal(a.record, b.record)
    return a.labels.tolist() == b.labels.tolist() and a.setting == b.setting


@pytest.fixture
def seen(monkeypatch) -> list[list[np.ndarray]]:
    """The candidates that were handed to the choice, per sweep."""
    handed: list[list[np.ndarray]] = []
    real = module.choose_partition

    def remember(rep, graph, partitions, **options):
        handed.append([labels.copy() for labels in partitions])
        return real(rep, graph, partitions, **options)

    monkeypatch.setattr(module, "choose_partition", remember)
    return handed


# The record


@pytest.mark.parametrize(
    ("method", "name", "n_candidates"), [("leiden", "resolution", 20), ("kmeans", "n_clusters", 18)]
)
def test_the_record(seen, method, name, n_candidates) -> None:
    rep, truth = blobs([60, 30, 20])
    labels, setting, record = sweep(rep, method)
    assert adjusted_rand_score(labels, truth) == 1
    assert np.bincount(labels).tolist() == [60, 30, 20]
    assert labels.dtype == np.int64
    assert set(record) == {"sweep", "choice", "flow"}

    table, choice = record["sweep"], record["choice"]
    assert set(table) == CRITERIA | {name}
    assert {len(column) for column in table.values()} == {n_candidates}
    assert {column.dtype.kind for column in table.values()} <= {"i", "f"}
    [partitions] = seen
    assert table["n_clusters"].tolist() == [len(np.unique(p)) for p in partitions]
    assert table["weight"].sum() == pytest.approx(1)

    assert setting == table[name][choice["index"]]
    assert choice["n_clusters"] == table["n_clusters"][choice["index"]] == 3
    assert labels.tolist() == partitions[choice["index"]].tolist()
    assert choice["expected_ari"] == table["expected_ari"].max()
    assert choice["expected_ari"] == table["expected_ari"][choice["index"]]
    separation = table["separation"][choice["index"]]
    assert choice["confidence"] == pytest.approx((choice["expected_ari"] * choice["stability"] * separation) ** (1 / 3))


def test_the_grid_of_resolutions() -> None:
    table = sweep(blobs([30, 30])[0]).record["sweep"]
    assert table["resolution"] == pytest.approx(np.geomspace(0.02, 3, 20))
    assert np.corrcoef(table["resolution"], table["n_clusters"])[0, 1] > 0.5


@pytest.mark.parametrize(("n_cells", "last"), [(3, 2), (4, 3), (10, 9), (17, 15), (22, 21), (31, 30), (900, 30)])
def test_the_numbers_stay_below_the_cells(n_cells, last) -> None:
    numbers = module._numbers(n_cells)
    assert (numbers[0], numbers[-1]) == (2, last)
    assert np.all(np.diff(numbers) > 0)


@pytest.mark.parametrize("method", ["leiden", "kmeans"])
@pytest.mark.parametrize("sizes", [(40, 30, 20), (90,)])
def test_the_flow_takes_every_cell_from_each_candidate_to_the_next(seen, method, sizes) -> None:
    rep, _ = blobs(sizes)
    flow = sweep(rep, method).record["flow"]
    assert list(flow) == ["step", "source", "target", "n_cells"]
    assert len({len(column) for column in flow.values()}) == 1
    assert {column.dtype for column in flow.values()} == {np.dtype(np.int64)}
    [partitions] = seen
    assert np.bincount(flow["step"], flow["n_cells"]).tolist() == [90] * (len(partitions) - 1)
    assert flow["n_cells"].min() > 0
    for step in (0, len(partitions) // 2, len(partitions) - 2):
        here = flow["step"] == step
        table = np.zeros((90, 90), dtype=int)
        table[flow["source"][here], flow["target"][here]] = flow["n_cells"][here]
        assert np.array_equal(table, confusion_matrix(*partitions[step : step + 2], labels=np.arange(90)))


def test_candidates_are_numbered_by_size(seen) -> None:
    sweep(blobs([40, 30, 20])[0])
    for labels in seen[0]:
        assert np.array_equal(labels, by_size(labels))


def test_a_single_candidate(seen) -> None:
    labels, setting, record = sweep(blobs([3])[0], "kmeans", n_neighbors=2)
    assert len(seen[0]) == 1
    assert labels.tolist() == [0, 0, 0]
    assert setting == 0
    assert record["sweep"]["n_clusters"].tolist() == [2]
    assert {key: len(column) for key, column in record["flow"].items()} == dict.fromkeys(record["flow"], 0)


@pytest.mark.parametrize("method", ["leiden", "kmeans", "ward", "gaussian-mixture"])
@pytest.mark.parametrize("n_clusters", [2, 9, 12, 15])
def test_every_method_finds_the_number_of_clear_blobs(method, n_clusters) -> None:
    rep, truth = blobs([60] * n_clusters, dims=20)
    labels = sweep(rep, method).labels
    assert adjusted_rand_score(truth, labels) > 0.999


@pytest.mark.parametrize("method", ["kmeans", "gaussian-mixture"])
def test_fewer_different_cells_than_clusters_tried_is_nothing_to_warn_of(method) -> None:
    rep = np.repeat(np.eye(6, dtype=np.float32) * 9, 20, axis=0)
    assert sweep(rep, method).labels.max() + 1 == 6


def test_one_population() -> None:
    rep, _ = blobs([150])
    labels, setting, record = sweep(rep)
    assert not labels.any()
    assert (setting, record["choice"]["index"], record["choice"]["n_clusters"]) == (0.0, -1, 1)
    assert np.isnan([record["choice"][key] for key in ("confidence", "stability", "margin", "expected_ari")]).all()
    assert record["sweep"]["weight"].tolist() == [0] * 20


# How sure


@pytest.mark.parametrize("stability", [0.15, 0.25])
def test_clusters_that_do_not_come_out_again_are_none(monkeypatch, stability) -> None:
    monkeypatch.setattr(module, "_stability", lambda *_: stability)
    labels, setting, record = sweep(blobs([60, 40])[0])
    choice = record["choice"]
    assert choice["stability"] == stability
    if stability > 0.2:
        assert (labels.max(), choice["n_clusters"]) == (1, 2)
    else:
        assert (labels.max(), setting, choice["index"], choice["n_clusters"], choice["runner_up"]) == (0, 0.0, -1, 1, 0)
        assert np.isnan([choice["confidence"], choice["expected_ari"], choice["margin"]]).all()
    assert len(record["sweep"]["resolution"]) == 20  # to be looked at either way


def test_clear_blobs_are_surer_than_touching_ones() -> None:
    clear, touching = (sweep(blobs([60, 60, 60], distance=d)[0]).record["choice"] for d in (12, 3.5))
    assert 0 < touching["confidence"] < clear["confidence"] <= 1
    assert clear["confidence"] > 0.95
    assert touching["stability"] < clear["stability"] == 1


def test_stability_by_hand(monkeypatch) -> None:
    # A cut that depends on nothing but the number of the cell: half of the subsets say the same, half do not.
    rep, truth = blobs([50, 50])
    asked = []

    def cut(rep, graph, method, value, random_state):
        assert graph.shape == (len(rep), len(rep))
        asked.append(len(rep))
        inside = np.array([np.flatnonzero((whole == row).all(axis=1))[0] for row in rep])
        return truth[inside] if len(asked) < 3 else np.zeros(len(rep), dtype=int)

    whole = rep
    graph = neighbor_graph(rep, "X", 15, 0).obsp["connectivities"]
    monkeypatch.setattr(module, "_cut", cut)
    found = module._stability(rep, graph, "leiden", 1.0, truth, 0)
    assert asked == [80, 80, 80]
    assert found == pytest.approx(2 / 3)


def test_same_seed_same_sweep_whatever_the_global_generator() -> None:
    rep, _ = blobs([60, 50, 40], distance=4)
    kept = rep.copy()
    first = sweep(rep, random_state=1)
    np.random.seed(3)
    state = repr(np.random.get_state())
    assert equal(first, sweep(rep, random_state=1))
    assert repr(np.random.get_state()) == state
    assert np.array_equal(rep, kept)


# Many cells


@pytest.mark.parametrize("method", ["leiden", "kmeans"])
def test_many_cells_are_chosen_for_by_a_sample(monkeypatch, seen, method) -> None:
    monkeypatch.setattr(module, "_MANY_CELLS", 150)
    rep, truth = blobs([200, 100, 60])
    labels, _, record = sweep(rep, method)
    assert [len(p) for p in seen[0]] == [150] * len(seen[0])
    assert len(labels) == 360
    assert labels.dtype == np.int64
    assert adjusted_rand_score(labels, truth) == 1
    assert set(np.bincount(record["flow"]["step"], record["flow"]["n_cells"])) == {150}


def test_the_cells_of_the_sample_keep_their_clusters(monkeypatch) -> None:
    rep, truth = blobs([120, 100, 80])
    cells = np.sort(np.random.default_rng(2).choice(300, 150, replace=False))
    alone = sweep(rep[cells], n_neighbors=10, random_state=2)
    monkeypatch.setattr(module, "_MANY_CELLS", 150)
    asked = []

    def remember(rep, graph, sample, labels, n_neighbors):
        asked.append((len(rep), graph.shape, sample.tolist(), n_neighbors))
        return spread(rep, graph, sample, labels, n_neighbors)

    monkeypatch.setattr(module, "spread", remember)
    whole = sweep(rep, n_neighbors=10, random_state=2)
    np.testing.assert_equal(whole.record, alone.record)
    assert whole.labels[cells].tolist() == alone.labels.tolist()
    assert adjusted_rand_score(whole.labels, truth) == 1
    assert asked == [(300, (300, 300), cells.tolist(), 10)]


def test_many_cells_of_one_population(monkeypatch) -> None:
    monkeypatch.setattr(module, "_MANY_CELLS", 150)
    labels, setting, _ = sweep(blobs([200])[0])
    assert labels.tolist() == [0] * 200
    assert setting == 0


@pytest.mark.parametrize(("n_cells", "sampled"), [(150, None), (151, 150)])
def test_where_many_begins(monkeypatch, seen, n_cells, sampled) -> None:
    monkeypatch.setattr(module, "_MANY_CELLS", 150)
    rep, _ = blobs([80, n_cells - 80])
    assert len(sweep(rep).labels) == n_cells
    assert len(seen[0][0]) == (sampled or n_cells)


# Batches


def shifted():
    """Two types; batches shift them by enough to look like two types each."""
    rep, truth = blobs([120, 120])
    batches = np.random.default_rng(1).integers(2, size=240)
    rep[:, -1] += 4.5 * batches
    return rep, truth, batches


@pytest.mark.parametrize("many", [20_000, 200])
def test_batches_are_no_clusters(monkeypatch, many) -> None:
    monkeypatch.setattr(module, "_MANY_CELLS", many)
    rep, truth, batches = shifted()
    assert adjusted_rand_score(sweep(rep).labels, 2 * truth + batches) > 0.9
    assert adjusted_rand_score(sweep(rep, batches=batches).labels, truth) == 1
