"""When neighbourhoods have settled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Generator

from scclr_ext.engine.methods import ScclrConfig
from scclr_ext.engine.run import run
from scclr_ext.engine.stopping import Stability


def new(n_cells: int = 40, seed: int = 0) -> Stability:
    return Stability(n_cells, Generator().manual_seed(seed))


def overlap(a: np.ndarray, b: np.ndarray, k: int) -> float:
    """Share of common neighbours, cell by cell, from the graphs as dense matrices."""
    one, two = (NearestNeighbors(n_neighbors=k).fit(x).kneighbors_graph().toarray() for x in (a, b))
    return float((one * two).sum() / one.sum())


def test_the_overlap() -> None:
    rng, stability = np.random.default_rng(0), new(400)
    looks = [rng.normal(size=(400, 5)) for _ in range(3)]
    assert np.isnan(stability.look(looks[0]))
    assert stability.look(looks[1]) == pytest.approx(overlap(looks[0], looks[1], 15))
    assert stability.look(looks[2]) == pytest.approx(overlap(looks[1], looks[2], 15))
    assert stability.look(looks[2] * 3 + 1) == 1.0, "neighbours do not change under scaling"


def test_fewer_neighbours_of_few_cells() -> None:
    rng, stability = np.random.default_rng(0), new(100)
    looks = [rng.normal(size=(100, 5)) for _ in range(2)]
    stability.look(looks[0])
    assert stability.look(looks[1]) == pytest.approx(overlap(*looks, 5))


def test_looks_are_some_steps_apart() -> None:
    stability = new()
    assert [step for step in range(1, 101) if stability.due(step)] == [25, 50, 75, 100]
    stability = new()
    assert [step for step in range(0, 201, 40) if stability.due(step)] == [40, 80, 120, 160, 200]


def test_few_cells() -> None:
    stability = new(3)
    rep = np.random.default_rng(0).normal(size=(3, 2))
    stability.look(rep)
    assert stability.look(rep[::-1].copy()) == 1.0, "each is everybody's neighbour"


def test_the_sample_is_drawn_without_replacement() -> None:
    assert new(7).cells.tolist() == list(range(7))
    cells = new(5000).cells
    assert len(torch.unique(cells)) == len(cells) == 1000
    assert torch.equal(cells, cells.sort().values)
    assert not torch.equal(cells, new(5000, seed=1).cells)


@pytest.mark.parametrize(
    ("overlaps", "steady"),
    [
        ([], False),
        ([0.9, 0.9, 0.9], False),  # nothing to compare three looks with
        ([0.5, 0.6, 0.7, 0.8], False),
        ([0.7, 0.705, 0.702, 0.709], True),
        ([0.7, 0.6, 0.65, 0.71], False),
        ([0.3, 0.8, 0.79, 0.8, 0.78], True),
    ],
)
def test_steady(overlaps, steady) -> None:
    stability = new()
    stability.overlaps = overlaps
    assert stability.steady is steady


def test_a_training_that_has_settled_ends_with_a_rate_of_nearly_zero(tiny) -> None:
    config = ScclrConfig(steps=2000, batch_size=20, hidden=(8,), embedding_dim=4, head=(4,), early_stopping=True)
    found = run(config, tiny, device="cpu", progress=False)
    steps, rate = found.history["step"], found.history["learning_rate"]
    assert 150 < steps[-1] < 2000
    assert rate[-1] < 0.1 * rate.max()
    cooled = steps[rate < 0.99 * rate.max()]
    assert (np.diff(rate[steps >= cooled[cooled > 60][0]]) < 0).all()
    looked = steps[np.isfinite(found.history["stability"])]
    assert looked.tolist() == list(range(50, steps[-1] + 1, 25)), "the first look has nothing to compare with"
    again = run(config, tiny, device="cpu", progress=False)
    assert np.array_equal(found.embedding, again.embedding)
    assert "stability" not in run(replace(config, steps=5, early_stopping=False), tiny, progress=False).history


def test_without_an_early_end_the_budget_holds_and_the_rate_cools_towards_it(tiny, monkeypatch) -> None:
    monkeypatch.setattr(Stability, "steady", property(lambda _: False))
    config = ScclrConfig(steps=100, batch_size=20, hidden=(8,), embedding_dim=4, head=(4,), early_stopping=True)
    history = run(config, tiny, device="cpu", progress=False).history
    assert history["step"][-1] == 100
    held = history["learning_rate"][(history["step"] > 10) & (history["step"] <= 80)]
    assert held == pytest.approx(config.learning_rate)
    assert history["learning_rate"][-1] == pytest.approx(config.learning_rate / 21)
