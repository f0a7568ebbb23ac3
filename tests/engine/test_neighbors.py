"""Cells that may stand in for one another."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from torch import Generator

from scclr_ext.engine.moments import gene_moments
from scclr_ext.engine.neighbors import Neighbors, mutual_neighbors, nearest_neighbors, principal_components


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def lists(neighbors: Neighbors) -> list[set[int]]:
    stops = neighbors.indptr.tolist()
    return [set(neighbors.indices[a:b].tolist()) for a, b in zip(stops[:-1], stops[1:], strict=True)]


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 20),
    density=st.sampled_from([0.0, 0.2, 1.0]),
    probability=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_a_cell_stays_or_becomes_one_of_its_list(n, density, probability, seed) -> None:
    matrix = sparse.random_array((n, n), density=density, rng=np.random.default_rng(seed), format="csr")
    neighbors = Neighbors.from_matrix(matrix)
    index = torch.randint(n, (30,), generator=generator(seed))
    drawn = neighbors.draw(index, probability, generator(seed))
    options = lists(neighbors)
    for before, after in zip(index.tolist(), drawn.tolist(), strict=True):
        assert after == before or after in options[before]
        assert after in options[before] or probability < 1 or not options[before]
    assert torch.equal(neighbors.draw(index, 0.0, generator(seed)), index)
    assert torch.equal(neighbors.draw(index, probability, generator(seed)), drawn)


def test_every_neighbour_is_drawn_equally_often_and_with_the_probability() -> None:
    neighbors = Neighbors(torch.tensor([0, 5, 5]), torch.tensor([3, 4, 5, 6, 7]))
    n = 20_000
    drawn = neighbors.draw(torch.zeros(n, dtype=torch.long), 0.4, generator())
    counts = Counter(drawn.tolist())
    assert abs(counts.pop(0) - 0.6 * n) < 4.5 * np.sqrt(0.24 * n)
    assert set(counts) == {3, 4, 5, 6, 7}
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4
    alone = torch.ones(100, dtype=torch.long)
    assert torch.equal(neighbors.draw(alone, 1.0, generator()), alone), "an empty list leaves the cell"


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 30), k=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_nearest_by_hand(n, k, seed) -> None:
    rep = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    for i, found in enumerate(lists(nearest_neighbors(rep, k))):
        distance = np.linalg.norm(rep.astype(float) - rep[i], axis=1)
        distance[i] = np.inf
        assert found == set(np.argsort(distance)[: min(k, n - 1)].tolist())


@pytest.mark.parametrize("k", [3, 6])
@pytest.mark.parametrize("n_batches", [2, 3])
def test_mutual_neighbours_by_hand(n_batches, k) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(n_batches, size=30) * 5
    rep = (rng.normal(size=(30, 4)) + codes[:, None]).astype(np.float32)
    before = rep.copy()
    found = lists(mutual_neighbors(rep, codes, k))
    assert np.array_equal(rep, before)

    centred = np.array([rep[i] - rep[codes == codes[i]].mean(0) for i in range(30)], dtype=float)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)

    def nearest(i: int, batch: int) -> set[int]:
        inside = np.flatnonzero(codes == batch)
        return set(inside[np.argsort(-(centred[inside] @ centred[i]))[:k]].tolist())

    left_out = 0
    for i in range(30):
        mutual = [
            j for j in range(30) if codes[j] != codes[i] and j in nearest(i, codes[j]) and i in nearest(j, codes[i])
        ]
        distance = {j: np.linalg.norm(centred[i] - centred[j]) for j in mutual}
        expected = {j for j in mutual if distance[j] <= 1.5 * min(distance.values())}
        assert found[i] == expected
        left_out += len(mutual) - len(expected)
    assert left_out > 0


def test_a_type_with_fewer_cells_than_neighbours_has_partners_of_its_own_only() -> None:
    rng = np.random.default_rng(0)
    types = np.repeat([0, 0, 0, 1, 2], 20)  # in each batch 30 cells of one type and ten each of two that are alike
    codes = np.arange(100) % 2
    centres = np.array([[0, 0, 0, 10], [10, 3, 0, 0], [10, -3, 0, 0]])
    rep = (centres[types] + rng.normal(0, 0.4, size=(100, 4))).astype(np.float32)
    found = lists(mutual_neighbors(rep, codes, 20))
    for i, others in enumerate(found):
        assert all(types[j] == types[i] for j in others)
    assert min(map(len, found)) > 0


def test_cells_at_the_same_place_are_partners() -> None:
    rep = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = lists(mutual_neighbors(rep, np.arange(12) % 2, 2))
    assert all(len(others) == 2 for others in found)


def test_a_shift_between_batches_plays_no_part() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(60) % 3
    codes = np.arange(60) // 3 % 2
    rep = (5 * np.eye(3)[groups] + rng.normal(0, 0.3, size=(60, 3))).astype(np.float32)
    shifted = rep + np.where(codes[:, None] == 1, [40.0, -7.0, 3.0], 0).astype(np.float32)
    found = lists(mutual_neighbors(shifted, codes, 5))
    assert sum(map(len, found)) > 60
    for i, others in enumerate(found):
        assert all(groups[j] == groups[i] and codes[j] != codes[i] for j in others)


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_principal_components_against_a_singular_value_decomposition(convert) -> None:
    dense = np.log1p(np.random.default_rng(0).poisson(1.0, size=(40, 12))).astype(np.float32)
    dense[:, 5] = 0  # a gene that never varies
    dense[3, 7] = 80  # ... and one that is clipped
    mean, std = gene_moments(dense)
    z = np.minimum((dense.astype(float) - mean) / np.where(std > 0, std, 1), 10)
    z -= z.mean(0)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    found = principal_components(convert(dense), mean, std, 0).rep
    assert found.dtype == np.float32
    assert found.shape == (40, 11)
    assert np.abs(found) == pytest.approx(np.abs(u * s)[:, :11], abs=2e-3)
    assert np.array_equal(principal_components(convert(dense), mean, std, 0).rep, found)


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (3, 3), (5, 1)])
def test_principal_components_of_very_little(shape) -> None:
    dense = np.random.default_rng(0).gamma(1.0, size=shape).astype(np.float32)
    found = principal_components(sparse.csr_matrix(dense), *gene_moments(dense), 0).rep
    assert len(found) == shape[0]
    assert np.isfinite(found).all()
