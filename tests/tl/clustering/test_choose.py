"""Which partition is chosen, what for, and how sure the choice is."""

from __future__ import annotations

import igraph
import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.neighbors import kneighbors_graph

import scclr_ext.tl._clustering.choose as module
from scclr_ext.tl._clustering.choose import Choice, choose_partition

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


def blobs(sizes, *, distance: float = 10.0, dims: int = 8, seed: int = 0):
    """Round clouds in random order: the embedding and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return np.eye(len(sizes), dims)[truth] * distance + rng.normal(size=(len(truth), dims)), truth


def knn(rep, k: int = 10) -> sparse.csr_matrix:
    directed = kneighbors_graph(rep, min(k, len(rep) - 1))
    return sparse.csr_matrix(directed.maximum(directed.T))


def halved(labels, cluster: int, value) -> np.ndarray:
    """Cut one cluster in two at the median of a value."""
    inside = labels == cluster
    return np.where(inside & (value > np.median(value[inside])), labels.max() + 1, labels)


def merged(labels, a: int, b: int) -> np.ndarray:
    return np.unique(np.where(labels == b, a, labels), return_inverse=True)[1]


def candidates(rep, truth) -> list[np.ndarray]:
    """One cluster, a merger, the truth, one cut and all cut."""
    cut = halved(truth, 0, rep[:, -1])
    shreds = cut
    for cluster in range(1, truth.max() + 1):
        shreds = halved(shreds, cluster, rep[:, -1])
    return [np.zeros_like(truth), merged(truth, 0, 1), truth, cut, shreds]


def choose(rep, truth, **options) -> Choice:
    return choose_partition(rep, knn(rep), candidates(rep, truth), **options)


# The criteria


def test_modularity_is_igraph_s_and_the_formula_s() -> None:
    rep, truth = blobs([40, 30, 20], distance=3)
    graph = knn(rep)
    graph.data = np.random.default_rng(0).uniform(0.1, 1, graph.nnz)
    graph = sparse.csr_matrix(graph.maximum(graph.T))  # weighted
    table = choose_partition(rep, graph, candidates(rep, truth)).table

    upper = sparse.triu(graph, 1).tocoo()
    whole = igraph.Graph(n=len(rep), edges=np.column_stack([upper.row, upper.col]))
    dense = graph.toarray()
    degree, total = dense.sum(axis=1), dense.sum()
    for labels, found in zip(candidates(rep, truth), table["modularity"], strict=True):
        same = labels[:, None] == labels
        assert found == pytest.approx(((dense - np.outer(degree, degree) / total) * same).sum() / total, abs=1e-5)
        assert found == pytest.approx(whole.modularity(labels, weights=upper.data), abs=1e-5)


def test_score_weight_and_expected_ari_by_hand() -> None:
    rep, truth = blobs([60, 50, 40, 30], distance=5)
    choice = choose(rep, truth)
    table, partitions = choice.table, candidates(rep, truth)
    assert set(table) == CRITERIA
    assert table["n_clusters"].tolist() == [1, 3, 4, 5, 8]

    score = np.maximum(table["modularity"], 0) * np.maximum(table["separation_q10"], 0) ** 0.3
    assert table["score"].to_numpy() == pytest.approx(score.to_numpy())
    valid = (table["n_clusters"] > 1) & (table["separation"] >= 0.5)
    assert valid.tolist() == [False, True, True, True, False]
    weight = np.where(valid, np.exp(score / 0.05), 0)
    assert table["weight"].to_numpy() == pytest.approx(weight / weight.sum())
    agreement = np.array([[adjusted_rand_score(a, b) for b in partitions] for a in partitions])
    expected = agreement @ weight / weight.sum()
    assert table["expected_ari"].to_numpy() == pytest.approx(expected)

    best = int(np.argmax(np.where(valid, expected, -1)))
    assert (choice.index, choice.n_clusters) == (best, partitions[best].max() + 1)
    assert choice.expected_ari == pytest.approx(expected[best])
    unlike = valid & (agreement[best] < 0.8)
    rival = int(np.argmax(np.where(unlike, score, -1)))
    assert unlike.any()
    assert choice.runner_up == table["n_clusters"][rival]
    assert choice.margin == pytest.approx(score[valid & (agreement[best] > 0.9)].max() - score[rival])


def test_separations_by_hand(monkeypatch) -> None:
    # Five clusters on a line; only neighbours are near, and how deep each valley is, is given.
    sizes = [40, 30, 20, 8, 2]
    truth = np.repeat(np.arange(5), sizes)
    rep = np.column_stack([truth * 10.0, np.random.default_rng(0).normal(size=100)])
    valleys = {(0, 1): 0.9, (1, 2): 0.6, (2, 3): 0.2}
    asked = []

    def given(rep, first, second, rng, batches=None):
        cells = tuple(sorted((truth[first[0]], truth[second[0]])))
        asked.append(cells)
        return valleys.get(cells, 1.0)

    monkeypatch.setattr("scclr_ext.tl._clustering.criteria.separation", given)
    row = choose_partition(rep, knn(rep), [truth]).table.iloc[0]
    # Each counts with its shallowest valley; the cluster of two cells is too small to tell, and speaks for nothing.
    assert row["separation"] == pytest.approx((40 * 0.9 + 30 * 0.6 + 20 * 0.2 + 8 * 0.2) / 100)
    assert row["separation_q10"] == 0.2
    assert set(valleys) <= set(asked)
    assert not any(4 in cells for cells in asked)
    assert len(asked) == len(set(asked))  # none twice

    valleys[2, 3] = 0.8
    row = choose_partition(rep, knn(rep), [truth]).table.iloc[0]
    assert row["separation_q10"] == 0.6


@pytest.mark.parametrize(("separation", "index"), [(0.54, -1), (0.56, 0)])
def test_how_far_clusters_must_be_apart(monkeypatch, separation, index) -> None:
    truth = np.repeat([0, 1], 100)
    rep = truth[:, None] * 9.0 + np.random.default_rng(0).normal(size=(200, 2))
    monkeypatch.setattr("scclr_ext.tl._clustering.criteria.separation", lambda *_: separation)
    assert choose_partition(rep, knn(rep), [truth]).index == index


@pytest.mark.parametrize(("n_bad", "expected"), [(19, 1.0), (21, 0.3)])
def test_the_worst_tenth_of_the_cells_does_not_count(monkeypatch, n_bad, expected) -> None:
    # Four clusters in pairs far apart, of which one pair, a tenth of the 200 cells, is badly separated.
    truth = np.repeat(np.arange(4), [n_bad // 2, n_bad - n_bad // 2, 100, 100 - n_bad])
    rep = np.array([0.0, 1.0, 100.0, 130.0])[truth][:, None] + np.random.default_rng(0).normal(size=(200, 1)) * 0.01
    monkeypatch.setattr(
        "scclr_ext.tl._clustering.criteria.separation",
        lambda rep, a, b, *_: 0.3 if {truth[a[0]], truth[b[0]]} == {0, 1} else 1.0,
    )
    row = choose_partition(rep, knn(rep, 3), [truth]).table.iloc[0]
    assert row["separation_q10"] == expected
    assert row["separation"] == pytest.approx(1 - 0.7 * n_bad / 200)


@pytest.mark.parametrize(("size", "known"), [(6, False), (12, True)])
def test_clusters_with_less_than_three_in_a_thousand_cells_are_too_small_to_tell(monkeypatch, size, known) -> None:
    truth = np.repeat(np.arange(3), [1500, 1500 - size, size])
    rep = np.column_stack([truth * 10.0, np.random.default_rng(0).normal(size=3000)])
    asked = []

    def given(rep, first, second, *_):
        asked.append({truth[first[0]], truth[second[0]]})
        return 1.0

    monkeypatch.setattr("scclr_ext.tl._clustering.criteria.separation", given)
    choose_partition(rep, knn(rep), [truth])
    assert any(2 in clusters for clusters in asked) == known


def test_neighbours_are_those_by_edges_too(monkeypatch) -> None:
    truth = np.repeat(np.arange(5), 20)
    rep = truth[:, None] * 10.0 + np.random.default_rng(0).normal(size=(100, 1))
    graph = knn(rep).tolil()
    graph[0, 99] = graph[99, 0] = 1  # the ends of the line hang together
    asked = set()

    def given(rep, first, second, *_):
        asked.add(frozenset([truth[first[0]], truth[second[0]]]))
        return 1.0

    monkeypatch.setattr("scclr_ext.tl._clustering.criteria.separation", given)
    choose_partition(rep, graph.tocsr(), [truth])
    assert asked >= {frozenset([i, i + 1]) for i in range(4)} | {frozenset([0, 4])}


def test_the_same_pair_of_clusters_is_measured_once_over_all_candidates(monkeypatch) -> None:
    rep, truth = blobs([40, 40, 40, 40])
    pairs = []

    def remember(rep, first, second, rng, batches=None):
        pairs.append(frozenset([tuple(first), tuple(second)]))
        return 1.0

    monkeypatch.setattr("scclr_ext.tl._clustering.criteria.separation", remember)
    once = choose_partition(rep, knn(rep), [truth])
    assert len(pairs) == len(set(pairs))
    n_pairs = len(pairs)
    twice = choose_partition(rep, knn(rep), [truth, truth, (truth + 1) % 4])
    assert len(pairs) == 2 * n_pairs
    assert twice.table["separation"].tolist() == once.table["separation"].tolist() * 3


# The choice


@pytest.mark.parametrize("sizes", [(60, 60), (120, 20), (50, 50, 50), (150, 40, 15), (90, 30, 60, 20, 45, 70)])
@pytest.mark.parametrize("distance", [6, 12])
def test_the_truth_is_chosen_among_mergers_and_cuts(sizes, distance) -> None:
    rep, truth = blobs(sizes, distance=distance)
    choice = choose(rep, truth)
    assert choice.n_clusters == len(sizes)
    labels = candidates(rep, truth)[choice.index]
    assert adjusted_rand_score(labels, truth) == 1
    assert 0 <= choice.expected_ari <= 1
    assert choice.margin > 0


@pytest.mark.parametrize("dims", [2, 10, 50])
@pytest.mark.parametrize("seed", range(2))
def test_one_population_is_one_cluster(dims, seed) -> None:
    rng = np.random.default_rng(seed)
    for rep in (rng.normal(size=(300, dims)), rng.uniform(size=(200, dims))):
        two = (rep[:, 0] > 0.4).astype(int)
        four = two + 2 * (rep[:, 1] > 0.5)
        choice = choose_partition(rep, knn(rep), [np.zeros_like(two), two, four], random_state=seed)
        assert (choice.index, choice.n_clusters, choice.runner_up) == (-1, 1, 0)
        assert np.isnan([choice.confidence, choice.expected_ari, choice.margin, choice.stability]).all()
        assert set(choice.table) == CRITERIA
        assert choice.table["weight"].tolist() == [0, 0, 0]
        assert choice.table["separation"].max() < 0.3


def test_candidates_of_one_cluster_only() -> None:
    rep, _ = blobs([50])
    choice = choose_partition(rep, knn(rep), [np.zeros(50, dtype=np.int64)] * 3)
    assert (choice.index, choice.n_clusters) == (-1, 1)
    assert choice.table["modularity"].to_numpy() == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_plateau_wins_over_a_spike(monkeypatch) -> None:
    # The spike has the best score, but stands alone; the others say the same, nearly.
    rep, truth = blobs([50, 50, 50, 50])
    near = truth.copy()
    near[np.flatnonzero(truth == 0)[0]] = 1
    partitions = [merged(truth, 0, 1), truth, near, near]
    real = module.Criteria.of

    def scored(criteria, labels):
        row = real(criteria, labels)
        return row | {"modularity": 0.62 if row["n_clusters"] == 3 else 0.60, "separation": 1, "separation_q10": 1}

    monkeypatch.setattr(module.Criteria, "of", scored)
    choice = choose_partition(rep, knn(rep), partitions)
    assert choice.table["score"].argmax() == 0
    assert choice.n_clusters == 4
    assert choice.margin == pytest.approx(-0.02)
    assert choice.runner_up == 3


def test_no_runner_up_where_all_say_the_same() -> None:
    rep, truth = blobs([50, 50])
    choice = choose_partition(rep, knn(rep), [truth, 1 - truth, np.zeros_like(truth)])
    assert (choice.n_clusters, choice.runner_up, choice.margin) == (2, 0, np.inf)
    assert choice.expected_ari == pytest.approx(1)


def test_a_candidate_whose_clusters_are_not_separated_is_never_chosen() -> None:
    # Nothing else is on offer, and its modularity is high.
    rep = np.random.default_rng(0).normal(size=(200, 2))
    quarters = (rep[:, 0] > 0) + 2 * (rep[:, 1] > 0)
    choice = choose_partition(rep, knn(rep), [quarters])
    assert choice.table["modularity"][0] > 0.2
    assert choice.index == -1


# How sure


def test_confidence_by_hand() -> None:
    rep, truth = blobs([60, 50, 40], distance=4)
    made = choose(rep, truth)
    assert np.isnan(made.confidence)  # the stability is not known yet
    choice = Choice(made.index, made.table, expected_ari=0.9, margin=0.1, runner_up=2, stability=0.7)
    separation = made.table["separation"][made.index]
    assert choice.confidence == pytest.approx((0.9 * 0.7 * separation) ** (1 / 3))
    assert Choice(made.index, made.table, 0.9, 0.1, 2, stability=-0.01).confidence == 0
    assert Choice(made.index, made.table, -0.1, 0.1, 2, stability=0.9).confidence == 0
    assert np.isnan(Choice(-1, made.table, 0.9, 0.1, 2, stability=0.9).confidence)


def test_expected_agreement_and_separation_fall_as_clusters_touch() -> None:
    found = []
    for distance in (4, 5, 10):
        choice = choose(*blobs([60, 60, 60], distance=distance))
        separation = choice.table["separation"][choice.index]
        assert 0 < separation <= 1
        found.append((separation, choice.margin))
    assert np.all(np.diff([separation for separation, _ in found]) > 0)
    assert found[-1][0] > 0.99


def test_the_record_is_plain() -> None:
    choice = choose(*blobs([60, 50, 40]))
    record = choice.record()
    assert set(record) == {
        "index", "n_clusters", "expected_ari", "margin", "runner_up", "stability", "confidence"
    }  # fmt: skip
    assert {key: type(value) for key, value in record.items()} == {
        key: int if key in ("index", "n_clusters", "runner_up") else float for key in record
    }
    assert (record["index"], record["n_clusters"]) == (2, 3)


# What does not matter


def same(a: Choice, b: Choice) -> bool:
    np.testing.assert_allclose(a.table, b.table, rtol=1e-4, atol=1e-6)
    return a.index == b.index and np.isclose(a.expected_ari, b.expected_ari)


def test_same_seed_same_choice_whatever_the_global_generator() -> None:
    rep, truth = blobs([400, 50, 40], distance=4)  # more than the cells sampled of a cluster
    kept = rep.copy()
    first = choose(rep, truth, random_state=3)
    np.random.seed(99)
    state = repr(np.random.get_state())
    again = choose(rep, truth, random_state=3)
    assert repr(np.random.get_state()) == state
    assert again.table.equals(first.table)
    assert again.record() | {"confidence": 0, "stability": 0} == first.record() | {"confidence": 0, "stability": 0}
    assert not choose(rep, truth, random_state=4).table.equals(first.table)
    assert np.array_equal(rep, kept)


def test_the_numbers_of_clusters_do_not_matter() -> None:
    rep, truth = blobs([400, 50, 40, 30], distance=4)
    rng = np.random.default_rng(0)
    renumbered = [rng.permutation(labels.max() + 1)[labels] for labels in candidates(rep, truth)]
    assert same(choose(rep, truth), choose_partition(rep, knn(rep), renumbered))


def test_place_and_unit_of_the_embedding_do_not_matter() -> None:
    rep, truth = blobs([60, 50, 40], distance=4)
    graph, expected = knn(rep), choose(rep, truth)
    for moved in (rep * 1e4, rep * 1e-4, rep + 20, rep.astype(np.float32)):
        assert same(choose_partition(moved, graph, candidates(rep, truth)), expected)


def test_the_order_of_the_candidates_does_not_matter() -> None:
    rep, truth = blobs([60, 50, 40], distance=4)
    forward, partitions = choose(rep, truth), candidates(rep, truth)
    backward = choose_partition(rep, knn(rep), partitions[::-1])
    assert backward.index == len(partitions) - 1 - forward.index
    assert backward.expected_ari == pytest.approx(forward.expected_ari)
    assert backward.margin == pytest.approx(forward.margin)


# The odd ones


def test_a_few_tiny_clusters_hardly_hurt() -> None:
    rep, truth = blobs([60, 60])
    some = truth.copy()
    some[:3], some[3] = 2, 3  # three cells, and one alone, in the midst of the others
    choice = choose_partition(rep, knn(rep), [some])
    assert choice.n_clusters == 4
    assert choice.table["separation"][0] == pytest.approx(116 / 120, abs=0.01)
    assert choice.table["separation_q10"][0] > 0.99
    only = choose_partition(rep, knn(rep), [np.arange(120), np.arange(120) // 3])
    assert only.index == -1
    assert only.table["separation"].tolist() == [0, 0]
    assert np.isfinite(only.table["modularity"]).all()


def test_shreds_are_not_judged_by_the_few_that_are_large_enough() -> None:
    # A population in shreds of four cells, and two clusters far out.
    rep, truth = blobs([60, 8, 8])
    shreds = np.where(truth == 0, np.arange(76) // 4 + 3, truth)
    shreds = np.unique(shreds, return_inverse=True)[1]
    choice = choose_partition(rep, knn(rep), [shreds])
    assert choice.table["separation"][0] < 0.3
    assert choice.index == -1


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_embedding(value) -> None:
    labels = np.arange(40) % 2
    rep = np.full((40, 3), value)
    choice = choose_partition(rep, knn(rep), [labels, np.zeros(40, dtype=np.int64)])
    assert choice.index == -1
    assert choice.table["separation"].tolist() == [0, 0]


@pytest.mark.parametrize("n_cells", [3, 5, 10])
def test_very_few_cells(n_cells) -> None:
    rep = np.random.default_rng(0).normal(size=(n_cells, 4))
    labels = np.arange(n_cells)
    choice = choose_partition(rep, knn(rep), [labels * 0, labels % 2, labels])
    assert choice.index == -1
    assert np.isfinite(choice.table["score"]).all()


def test_a_graph_without_edges() -> None:
    rep, truth = blobs([20, 20])
    choice = choose_partition(rep, sparse.csr_matrix((40, 40)), [truth])
    assert choice.table["modularity"].tolist() == [0]
    assert (choice.index, choice.n_clusters) == (0, 2)


# Batches


def test_mixing_by_hand() -> None:
    graph = sparse.csr_matrix(1.0 - np.eye(4))
    assert module._mixing(graph, np.array([0, 0, 1, 1])) == pytest.approx((8 / 12) / 0.5)
    apart = sparse.csr_matrix(np.kron(np.eye(2), np.ones((2, 2)) - np.eye(2)))
    assert module._mixing(apart, np.array([0, 0, 1, 1])) == 0
    assert module._mixing(graph, np.zeros(4, dtype=np.int64)) == 0
    rng = np.random.default_rng(0)
    rep, batches = rng.normal(size=(400, 3)), rng.integers(3, size=400)
    assert module._mixing(knn(rep), batches) == pytest.approx(1, abs=0.1)


@pytest.fixture
def two_batches():
    """Two types, and within each two batches that a shift of the embedding parts, with some overlap."""
    rep, truth = blobs([160, 160], distance=12, dims=5)
    batches = np.random.default_rng(1).integers(2, size=320)
    rep[:, -1] += 5 * batches
    middle = np.random.default_rng(2).choice(320, 40, replace=False)
    rep[middle, -1] = np.random.default_rng(3).uniform(0, 5, size=40)  # without them nothing is mixed
    return rep, truth, batches


def test_batches_are_no_clusters(two_batches) -> None:
    rep, truth, batches = two_batches
    by_batch = 2 * truth + batches
    graph = knn(rep)
    assert module._mixing(graph, batches) > 0.02
    without = choose_partition(rep, graph, [truth, by_batch])
    within = choose_partition(rep, graph, [truth, by_batch], batches=batches)
    assert without.table["separation"][1] > 0.5
    assert within.table["separation"].tolist() == pytest.approx([1, 0], abs=0.02)
    assert within.n_clusters == 2


def test_batches_that_are_apart_altogether_are_not_compared(two_batches) -> None:
    rep, truth, batches = two_batches
    rep[:, -1] += 1000 * batches
    partitions, graph = [truth, 2 * truth + batches], knn(rep)
    assert module._mixing(graph, batches) == 0
    without = choose_partition(rep, graph, partitions)
    assert choose_partition(rep, graph, partitions, batches=batches).table.equals(without.table)
    assert without.table["separation"][1] > 0.99


def test_agreement_is_the_adjusted_rand_index_of_every_two() -> None:
    rng = np.random.default_rng(0)
    partitions = [rng.integers(k, size=80) for k in (2, 3, 10)] + [np.zeros(80, dtype=int), np.arange(80)]
    partitions.append(partitions[1][::-1].copy())
    for sample in (np.arange(80), rng.choice(80, 30, replace=False)):
        found = module._agreement(partitions, sample)
        expected = [[adjusted_rand_score(a[sample], b[sample]) for b in partitions] for a in partitions]
        assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_the_silhouette_is_that_of_the_cosine_distance() -> None:
    rep, truth = blobs([30, 20, 10])
    table = choose(rep, truth).table
    scaled = (rep - rep.mean(0)) / np.sqrt(((rep - rep.mean(0)) ** 2).sum(1).mean())
    expected = [silhouette_score(scaled, labels, metric="cosine") for labels in candidates(rep, truth)[1:]]
    assert table["silhouette"].iloc[1:].to_numpy() == pytest.approx(np.array(expected), abs=1e-6)
