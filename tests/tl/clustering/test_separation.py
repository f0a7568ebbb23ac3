"""The valley between two clusters: none in one population, however cut; deep where nothing lies in between."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from scclr_ext.tl._clustering.separation import _SAMPLE, separation, valley_depth


def pair(sizes=(200, 200), *, distance: float, dims: int = 2, seed: int = 0):
    """Two round clouds: the embedding and the cells of each."""
    rng = np.random.default_rng(seed)
    rep = rng.normal(size=(sum(sizes), dims))
    rep[sizes[0] :, 0] += distance
    return rep, np.arange(sizes[0]), np.arange(sizes[0], sum(sizes))


def measure(rep, first, second, *, batches=None, seed: int = 0) -> float:
    return separation(rep, first, second, np.random.default_rng(seed), batches)


def mean_separation(distance: float, *, sizes=(200, 200), dims: int = 2, seeds: int = 6) -> float:
    found = [measure(*pair(sizes, distance=distance, dims=dims, seed=seed), seed=seed) for seed in range(seeds)]
    return float(np.mean(found))


def test_numbers_too_small_to_tell_from_zero_are_zero() -> None:
    with np.errstate(all="raise"):
        assert valley_depth(np.linspace(-1, 0, 50), np.linspace(1e3, 1e3 + 1, 50)) == pytest.approx(1)


# The depth of a valley on a line


@pytest.mark.parametrize("sizes", [(300, 300), (600, 30), (30, 600)])
def test_depth_of_two_normal_humps(sizes) -> None:
    # The quantiles of two normal distributions: their smoothed density is known, and is the same for all sizes
    # (but for the bandwidth) because both samples weigh the same.
    a, b = (norm.ppf((np.arange(n) + 0.5) / n, loc=at) for n, at in zip(sizes, (-2.0, 2.0), strict=True))
    bandwidth = 0.9 * 1.3 * (0.25 / sizes[0] + 0.25 / sizes[1]) ** 0.2
    spread = np.sqrt(1 + bandwidth**2)
    line = np.linspace(-3, 3, 2001)
    density = norm.pdf(line, -2, spread) + norm.pdf(line, 2, spread)
    expected = 1 - density[1000] / density.max()
    assert valley_depth(a, b) == pytest.approx(expected, abs=0.03)


def test_depth_does_not_depend_on_order_sign_place_or_unit() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=150), rng.normal(3.6, 1.3, size=70)
    depth = valley_depth(a, b)
    assert 0.05 < depth < 0.95
    for left, right in [(b, a), (-a, -b), (a + 40, b + 40), (a * 9, b * 9), (rng.permutation(a), b)]:
        assert valley_depth(left, right) == pytest.approx(depth, abs=1e-6)


def test_only_the_valley_between_the_medians_counts() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=400)
    far = np.concatenate([rng.normal(size=300), rng.normal(-30, 1, size=100)])  # a gap, but on the far side
    assert valley_depth(far, a + 0.3) < 0.1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0.0] * 5, [0.0] * 5, 0.0),
        ([0.0] * 5, [1.0] * 5, 1.0),
        ([0.0] * 5, [1.0, 1.1, 1.2, 1.3, 1.4], 1.0),
    ],
)
def test_points_on_top_of_one_another(a, b, expected) -> None:
    assert valley_depth(np.array(a), np.array(b)) == pytest.approx(expected, abs=1e-3)


# The separation of two clusters


@pytest.mark.parametrize("dims", [2, 50])
@pytest.mark.parametrize("n_cells", [60, 200, 600])
@pytest.mark.parametrize("seed", range(4))
def test_one_population_cut_in_two_shows_no_valley(dims, n_cells, seed) -> None:
    rep, _, _ = pair((n_cells // 2, n_cells // 2), distance=0, dims=dims, seed=seed)
    right = rep[:, 0] > np.median(rep[:, 0])
    assert measure(rep, np.flatnonzero(~right), np.flatnonzero(right), seed=seed) < 0.15


@pytest.mark.parametrize("dims", [2, 50])
def test_nor_does_a_cut_in_a_stretched_or_flat_population(dims) -> None:
    rng = np.random.default_rng(0)
    for rep in (rng.normal(size=(400, dims)) * np.geomspace(5, 0.1, dims), rng.uniform(size=(400, dims))):
        right = rep[:, 0] > np.median(rep[:, 0])
        assert measure(rep, np.flatnonzero(~right), np.flatnonzero(right)) < 0.15


@pytest.mark.parametrize("dims", [2, 50])
@pytest.mark.parametrize("sizes", [(200, 200), (400, 20), (20, 400), (900, 900)])
def test_nothing_in_between_is_one(dims, sizes) -> None:
    for seed in range(3):
        assert measure(*pair(sizes, distance=12, dims=dims, seed=seed)) > 0.99


@pytest.mark.parametrize("dims", [2, 50])
def test_it_grows_with_the_distance(dims) -> None:
    found = [mean_separation(distance, dims=dims) for distance in (0, 2, 3, 4, 5, 6, 9)]
    assert found[0] < 0.05
    assert found[1] < 0.1
    assert np.all(np.diff(found[1:]) > 0.01)
    assert found[-1] > 0.99


@pytest.mark.parametrize("distance", [3, 4, 6])
def test_a_rare_cluster_is_as_separate_as_a_large_one(distance) -> None:
    even = mean_separation(distance, sizes=(200, 200))
    for sizes in ((400, 20), (20, 400)):
        assert mean_separation(distance, sizes=sizes) == pytest.approx(even, abs=0.2)


def test_either_cluster_may_come_first() -> None:
    for distance in (0, 3, 5):
        rep, first, second = pair((250, 80), distance=distance)
        there, back = (
            np.mean([measure(rep, *cells, seed=seed) for seed in range(8)])
            for cells in ((first, second), (second, first))
        )
        assert there == pytest.approx(back, abs=0.07)


def test_it_does_not_depend_on_place_unit_or_rotation() -> None:
    rep, first, second = pair(distance=3.5, dims=8)
    expected = measure(rep, first, second)
    assert 0.2 < expected < 0.8
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0]
    for moved in (rep + 50, rep * 1000, rep * 1e-3, rep @ rotation):
        assert measure(moved, first, second) == pytest.approx(expected, abs=1e-4)


def test_a_gap_in_a_direction_of_little_variance_is_seen() -> None:
    rep, first, second = pair(distance=8, dims=5)
    rep[:, 1:] *= 10
    assert measure(rep, first, second) > 0.9


def test_a_seed_gives_the_same_twice_and_the_data_stay_as_they_were() -> None:
    rep, first, second = pair((500, 400), distance=3.5)
    assert len(first) > _SAMPLE
    batches = np.arange(len(rep)) % 2
    kept, state = rep.copy(), repr(np.random.get_state())
    assert measure(rep, first, second, batches=batches) == measure(rep, first, second, batches=batches)
    assert measure(rep, first, second) == measure(rep, first, second)
    assert len({measure(rep, first, second, seed=seed) for seed in range(4)}) > 1
    assert np.array_equal(rep, kept)
    assert repr(np.random.get_state()) == state


@pytest.mark.parametrize(("n_cells", "expected"), [(1, 0.0), (3, 0.0), (4, 1.0), (8, 1.0)])
def test_a_handful_of_cells(n_cells, expected) -> None:
    assert measure(*pair((n_cells, 100), distance=25)) == pytest.approx(expected, abs=0.05)


def test_constant_embeddings() -> None:
    first, second = np.arange(20), np.arange(20, 40)
    assert measure(np.ones((40, 3)), first, second) == 0
    assert measure(np.repeat([[0.0, 0.0], [1.0, 2.0]], 20, axis=0), first, second) == pytest.approx(1)


# Within batches


def in_batches(*, distance: float, shift: float, share: float = 0.5, n: int = 200, seed: int = 0):
    """Two clouds in two batches that are shifted; `share` of the first cloud and of the second's rest is in batch 1."""
    rep, first, second = pair((n, n), distance=distance, seed=seed)
    batches = np.zeros(2 * n, dtype=np.int64)
    batches[first[: round(share * n)]] = 1
    batches[second[round(share * n) :]] = 1
    rep[batches == 1] += [shift, shift]
    return rep, first, second, batches


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_batch_effect_is_no_gap(share) -> None:
    # One population, cut so that the batches' shares differ.
    rep, first, second, batches = in_batches(distance=0, shift=10, share=share)
    assert measure(rep, first, second, batches=batches) < 0.1
    if share != 0.5:
        assert measure(rep, first, second) > 0.2


@pytest.mark.parametrize("n_batches", [2, 50, 150, 700])
def test_many_small_batches_make_no_gap(n_batches) -> None:
    rng = np.random.default_rng(0)
    rep = rng.normal(size=(1500, 20)) * np.array([3.0] + [1.0] * 19)
    batches = np.arange(1500) % n_batches
    right = rep[:, 0] > 0
    assert measure(rep, np.flatnonzero(~right), np.flatnonzero(right), batches=batches) < 0.05


@pytest.mark.parametrize("n_batches", [2, 50, 150, 700])
def test_nor_do_they_hide_one(n_batches) -> None:
    rep, first, second = pair((750, 750), distance=10, dims=20)
    assert measure(rep, first, second, batches=np.arange(1500) % n_batches) > 0.95


@pytest.mark.parametrize("shift", [-8.0, 0.0, 4.0, 30.0])
def test_a_gap_within_batches_is_found_whatever_their_shift(shift) -> None:
    rep, first, second, batches = in_batches(distance=8, shift=shift, share=0.4)
    assert measure(rep, first, second, batches=batches) > 0.98


def test_the_shift_is_removed_altogether() -> None:
    found = [measure(*data[:3], batches=data[3]) for data in (in_batches(distance=4, shift=s) for s in (0, 1, 100))]
    assert 0.3 < found[0] < 0.95
    assert found == pytest.approx([found[0]] * 3, abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.95, 1.0])
def test_clusters_that_hardly_share_a_batch_cannot_be_told_from_its_effect(share) -> None:
    rep, first, second, batches = in_batches(distance=12, shift=0, share=share)
    assert measure(rep, first, second) > 0.99
    assert measure(rep, first, second, batches=batches) == 0


def test_batches_that_hold_hardly_any_of_one_cluster_are_left_out() -> None:
    rep, first, second = pair((100, 100), distance=4)
    batches = np.arange(200) % 2
    expected = measure(rep[2:], first[:-2], second - 2, batches=batches[2:])
    batches[:2] = 2
    rep[:2] = 1e4
    assert measure(rep, first, second, batches=batches) == pytest.approx(expected, abs=1e-9)


def test_no_batch_with_cells_enough() -> None:
    rep, first, second = pair((8, 8), distance=20)
    assert measure(rep, first, second, batches=np.tile(np.arange(8), 2)) == 0


def test_one_batch_is_as_none() -> None:
    rep, first, second = pair(distance=3.5)
    one = np.zeros(len(rep), dtype=np.int64)
    assert measure(rep, first, second, batches=one) == pytest.approx(measure(rep, first, second))
