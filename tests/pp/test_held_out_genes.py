"""Neighbours found with some genes are alike in others: against a slow reference, and where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scclr_ext.pp._held_out_genes import held_out_scores

N_CELLS = 60


def planted(n_informative: int, n_noise: int, *, seed: int = 0) -> np.ndarray:
    """Log values of three groups of cells, told apart by the first genes only."""
    rng = np.random.default_rng(seed)
    group = np.arange(N_CELLS) % 3
    signal = 2.5 * rng.normal(size=(3, n_informative))[group]
    values = np.concatenate([signal, np.zeros((N_CELLS, n_noise))], axis=1) + rng.normal(
        size=(N_CELLS, n_informative + n_noise)
    )
    return (values - values.min()).astype(np.float32)


def in_order(among: np.ndarray, number: int) -> np.ndarray:
    """The first genes are the best."""
    return np.sort(among)[:number]


def scores_of(values, numbers, **options):
    defaults = {"genes": np.arange(values.shape[1]), "n_splits": 2, "n_neighbors": 15, "random_state": 0}
    return held_out_scores(values, numbers, in_order, **(defaults | options))


def slowly(values: np.ndarray, numbers: list[int], *, n_neighbors: int, n_splits: int, seed: int) -> np.ndarray:
    """The same from the definition: SVD, full distances, loops."""
    rng = np.random.default_rng(seed)

    def standard(x):
        std = x.std(axis=0, ddof=1)
        return np.clip((x - x.mean(axis=0)) / std, -10, 10)

    rows = []
    for _ in range(n_splits):
        order = rng.permutation(values.shape[1])
        middle = (len(order) + 1) // 2
        halves = [order[:middle], order[middle:]]
        for seen, hidden in (halves, halves[::-1]):
            target = standard(values[:, in_order(hidden, numbers[-1] // 2)])
            row = []
            for n in numbers:
                x = standard(values[:, in_order(seen, n // 2)])
                x = x - x.mean(axis=0)
                u, s, _ = np.linalg.svd(x, full_matrices=False)
                n_components = min(50, *(size - 1 for size in x.shape))
                rep = (u * s)[:, :n_components]
                distance = ((rep[:, None] - rep) ** 2).sum(axis=2)
                np.fill_diagonal(distance, np.inf)
                near = np.argsort(distance, axis=1)[:, :n_neighbors]
                row.append((target * target[near].mean(axis=1)).sum() / (target**2).sum())
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_the_definition(kind) -> None:
    values = planted(20, 41)
    found = held_out_scores(
        kind(values), [10, 24, 40], in_order, genes=np.arange(61), n_splits=2, n_neighbors=7, random_state=3
    )
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found, slowly(values, [10, 24, 40], n_neighbors=7, n_splits=2, seed=3), atol=2e-3)


def test_noise_genes_make_it_worse_and_too_few_genes_too() -> None:
    few, right, many = scores_of(planted(40, 1000), [2, 40, 1000]).mean(axis=0)
    assert right > 1.2 * few
    assert right > 1.2 * many


def test_nothing_is_found_where_there_is_nothing() -> None:
    noise = planted(0, 400)
    for k in (5, 20):
        # Any other cell is expected to differ a little: the mean of all is zero.
        assert scores_of(noise, [400], n_neighbors=k).mean() == pytest.approx(-1 / (N_CELLS - 1), abs=0.01)


def test_as_much_as_the_neighbours_share() -> None:
    # Groups that are far apart, and hidden genes of which the group is a known share of the variance.
    rng = np.random.default_rng(0)
    group = np.arange(200) % 4
    values = (rng.normal(size=(4, 200))[group] * 3 + rng.normal(size=(200, 200))).astype(np.float32)
    between = np.stack([values[group == g].mean(axis=0) for g in range(4)])[group].var(axis=0)
    share = (between / values.var(axis=0)).mean()
    assert scores_of(values, [200]).mean() == pytest.approx(share, abs=0.02)


def test_genes_that_may_not_be_chosen_play_no_part() -> None:
    values = planted(20, 40)
    genes = np.arange(0, 60, 2)
    garbled = values.copy()
    garbled[:, 1::2] = 7.0
    np.testing.assert_array_equal(scores_of(values, [10, 20], genes=genes), scores_of(garbled, [10, 20], genes=genes))


def test_what_is_predicted_had_no_say() -> None:
    # Two halves of the genes that know nothing of one another: what one tells apart, the other does not see.
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 40)).astype(np.float32)
    values += 10
    assert scores_of(values, [20, 40]).max() < 0.02


def test_all_cells_alike() -> None:
    assert (scores_of(np.ones((20, 10), dtype=np.float32), [4, 10]) == 0).all()
