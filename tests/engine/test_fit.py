"""The training loop with a method that says what it was asked, and the pass that embeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from scclr_ext.engine._random import Seeds
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.device import make_fabric
from scclr_ext.engine.fit import embed, fit
from scclr_ext.engine.history import Plan
from scclr_ext.engine.methods import DataInfo, Method, StepOutput
from scclr_ext.engine.neighbors import Neighbors
from scclr_ext.engine.queue import NO_BATCH
from scclr_ext.engine.sampling import Shuffled, WithinBatches
from scclr_ext.engine.source import as_source
from scclr_ext.metrics import alignment, effective_rank, uniformity

CPU = torch.device("cpu")
COLUMNS = ["step", "epoch", "loss", "chance", "learning_rate", "alignment", "uniformity", "effective_rank"]
N_CELLS, N_GENES = 12, 4
MATRIX = np.random.default_rng(0).gamma(1.0, size=(N_CELLS, N_GENES)).astype(np.float32)


class Toy(Method[MethodConfig]):
    """One number to learn; its loss at step i (from 1) is `losses(i)`, whatever it learns."""

    def __init__(self, config, losses=float) -> None:
        super().__init__(config, DataInfo(N_CELLS, np.zeros(N_GENES), np.ones(N_GENES)))
        self.weight = nn.Parameter(torch.ones(()))
        self.losses = losses
        self.calls: list[str] = []
        self.seen: list[torch.Tensor] = []
        self.partners: list[torch.Tensor | None] = []
        self.batches: list[torch.Tensor | None] = []
        self.outputs: list[StepOutput] = []
        self.gradients: list[float] = []

    def forward(self, x, generator, partner=None, batches=None):
        assert self.training
        self.calls.append("step")
        self.seen.append(x)
        self.partners.append(partner)
        self.batches.append(batches)
        noise = torch.randn(2, len(x), N_GENES, generator=generator)
        first, second = nn.functional.normalize(x + 0.3 * noise, dim=2)
        slope = self.weight - self.weight.detach()  # zero, with a gradient of one
        output = StepOutput(self.losses(len(self.seen)) + slope, first, second, torch.tensor(1.5))
        self.outputs.append(output)
        return output

    def after_step(self):
        self.gradients.append(float(self.weight.grad))
        self.calls.append("after")

    def represent(self, x):
        assert not self.training
        assert not torch.is_grad_enabled()
        return x.double() * 2


def train(
    toy: Toy,
    *,
    batch_size: int = 4,
    seed: int = 0,
    progress: bool = False,
    n_cells: int = N_CELLS,
    codes=None,
    **values,
):
    return fit(
        toy,
        as_source(MATRIX[:n_cells], CPU),
        Shuffled(n_cells, batch_size) if codes is None else WithinBatches(codes, batch_size),
        fabric=make_fabric(CPU),
        seeds=Seeds.from_random_state(seed, CPU),
        progress=progress,
        **values,
    )


def config(**values) -> MethodConfig:
    return MethodConfig(**{"schedule": "constant", "learning_rate": 0.1, "optimizer": "sgd", **values})


def test_the_columns_of_the_history() -> None:
    history = train(Toy(config(epochs=50)))
    assert list(history) == COLUMNS
    assert {len(column) for column in history.values()} == {50}
    assert {column.dtype.kind for column in history.values()} <= {"i", "f"}
    assert history["step"].tolist() == list(range(3, 151, 3))
    assert history["epoch"].tolist() == list(range(1, 51))
    assert history["learning_rate"] == pytest.approx(0.1)
    assert history["chance"] == pytest.approx(1.5)


def test_a_row_is_the_mean_of_its_steps() -> None:
    history = train(Toy(config(epochs=50)))
    # step i has the loss i, and an epoch three steps
    assert history["loss"] == pytest.approx(np.arange(2, 150, 3))


def test_a_last_part_of_an_epoch_has_its_row() -> None:
    history = train(Toy(config(steps=8)), batch_size=4)
    assert history["step"].tolist() == list(range(1, 9)), "so few steps are recorded one by one"
    history = train(Toy(config(steps=200)), batch_size=4)
    assert history["step"].tolist() == [*range(3, 199, 3), 200]
    assert history["epoch"][-1] == pytest.approx(200 / 3)
    assert history["loss"][-2:] == pytest.approx([197, 199.5])


@pytest.mark.parametrize(
    ("plan", "every"),
    [
        (Plan(300, 3), 3),  # an epoch
        (Plan(30, 1), 1),
        (Plan(300, 10), 6),  # 30 epochs: 50 rows instead
        (Plan(500, 5000), 10),  # less than an epoch
        (Plan(7, 5000), 1),
        (Plan(1, 1), 1),
    ],
)
def test_how_often_there_is_a_row(plan, every) -> None:
    assert plan.record_every == every


def test_diagnostics_are_those_of_the_latest_minibatch() -> None:
    toy = Toy(config(epochs=50))
    history = train(toy)
    for row, output in enumerate(toy.outputs[2::3]):
        first, second = output.first.numpy(), output.second.numpy()
        assert history["alignment"][row] == pytest.approx(alignment(first, second), abs=1e-5)
        assert history["uniformity"][row] == pytest.approx(uniformity(first), abs=1e-5)
        assert history["effective_rank"][row] == pytest.approx(effective_rank(first), abs=1e-5)


def test_every_cell_is_seen_once_per_epoch_and_after_step_follows_each_step() -> None:
    toy = Toy(config(epochs=2))
    train(toy)
    assert toy.calls == ["step", "after"] * 6
    for seen in (toy.seen[:3], toy.seen[3:]):
        rows = torch.cat(seen).numpy()
        assert np.array_equal(rows[np.lexsort(rows.T)], MATRIX[np.lexsort(MATRIX.T)])
    assert not torch.equal(torch.cat(toy.seen[:3]), torch.cat(toy.seen[3:]))


def test_neighbours_stand_in_for_the_second_view() -> None:
    # Every cell's only neighbour is the next one.
    chain = Neighbors(torch.arange(N_CELLS + 1), torch.arange(1, N_CELLS + 1) % N_CELLS)
    rows = [tuple(row) for row in MATRIX.tolist()]

    def neighbours(probability: float) -> list[bool]:
        toy = Toy(config(epochs=20))
        train(toy, neighbors=chain, neighbor_probability=probability)
        replaced = []
        for x, partner in zip(toy.seen, toy.partners, strict=True):
            for one, two in zip(x.tolist(), partner.tolist(), strict=True):
                i, j = rows.index(tuple(one)), rows.index(tuple(two))
                assert j in (i, (i + 1) % N_CELLS)
                replaced.append(i != j)
        return replaced

    assert all(neighbours(1.0))
    n = 20 * N_CELLS
    assert abs(sum(neighbours(0.5)) - n / 2) < 4.5 * np.sqrt(n / 4)
    toy = Toy(config(epochs=1))
    train(toy, neighbor_probability=1.0)
    assert toy.partners == [None] * 3, "without neighbours both views are of the cell itself"


def test_a_cell_without_partners_is_of_no_batch() -> None:
    codes = np.arange(N_CELLS) % 2
    # Each cell's partner is the next one, but the first and the last have none.
    counts = np.r_[0, np.ones(N_CELLS - 2, dtype=int), 0]
    partners = Neighbors(torch.from_numpy(np.r_[0, counts.cumsum()]), torch.arange(2, N_CELLS))
    rows = [tuple(row) for row in MATRIX.tolist()]
    for neighbors, expected in ((partners, np.where(counts > 0, codes, NO_BATCH)), (None, codes)):
        toy = Toy(config(epochs=1))
        train(toy, codes=codes, neighbors=neighbors, neighbor_probability=0.5)
        for x, batches in zip(toy.seen, toy.batches, strict=True):
            assert batches.tolist() == [expected[rows.index(tuple(row))] for row in x.tolist()]
    toy = Toy(config(epochs=1))
    train(toy, neighbors=partners, neighbor_probability=0.5)
    assert toy.batches == [None] * len(toy.seen), "without batches there are none"


def test_steps_may_end_within_an_epoch() -> None:
    toy = Toy(config(steps=4))
    train(toy)
    assert len(toy.seen) == 4


def test_gradients_do_not_add_up() -> None:
    toy = Toy(config(steps=5))
    train(toy, batch_size=12)
    assert toy.gradients == pytest.approx([1.0] * 5)
    # SGD with momentum 0.9: velocities 1, 1.9, 2.71, ...
    velocity = [sum(0.9**k for k in range(i + 1)) for i in range(5)]
    assert toy.weight.item() == pytest.approx(1 - 0.1 * sum(velocity), rel=1e-5)


def test_gradients_are_clipped() -> None:
    toy = Toy(config(steps=3, gradient_clip=0.25))
    train(toy)
    assert toy.gradients == pytest.approx([0.25] * 3, rel=1e-4)


def test_a_divergence_is_not_hidden_by_clipping() -> None:
    toy = Toy(config(steps=60, gradient_clip=0.25))
    forward = toy.forward

    def broken(*args):
        output = forward(*args)
        return output._replace(loss=output.loss * float("nan"))

    toy.forward = broken
    with pytest.raises(FloatingPointError, match="Lower `learning_rate`"):
        train(toy)


def test_the_rate_in_the_history_is_the_one_the_step_was_taken_with() -> None:
    history = train(Toy(config(epochs=4, schedule="cosine", learning_rate=1.0)), batch_size=12)
    assert history["learning_rate"] == pytest.approx([(1 + np.cos(np.pi * e / 4)) / 2 for e in range(4)])


def test_a_training_that_may_end_early_cools_the_steps_that_it_takes() -> None:
    toy = Toy(config(steps=20, early_stopping=True))
    rates = [0.1] * 16 + [0.08, 0.06, 0.04, 0.02]
    assert train(toy)["learning_rate"] == pytest.approx(rates)
    velocity = [sum(0.9**k for k in range(i + 1)) for i in range(20)]
    assert toy.weight.item() == pytest.approx(1 - np.dot(rates, velocity), rel=1e-5)


def test_the_seed_decides() -> None:
    first, again, other = (Toy(config(epochs=2)) for _ in range(3))
    rows = [train(first), train(again), train(other, seed=1)]
    assert all(np.array_equal(rows[0][name], rows[1][name]) for name in COLUMNS)
    assert not np.array_equal(rows[0]["alignment"], rows[2]["alignment"])
    assert all(torch.equal(a, b) for a, b in zip(first.seen, again.seen, strict=True))
    assert not torch.equal(torch.cat(first.seen), torch.cat(other.seen))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_diverged_training_is_an_error_that_says_what_to_do(bad) -> None:
    toy = Toy(config(epochs=50), losses=lambda step: bad if step == 5 else 1.0)
    with pytest.raises(FloatingPointError, match=r"by step 6 of 150: .*Lower `learning_rate`"):
        train(toy)
    assert len(toy.seen) == 6, "it stops at the end of the row, not of the training"


@pytest.mark.parametrize("progress", [False, True])
def test_an_interrupt_comes_through(progress, capfd) -> None:
    def interrupt(step: int) -> float:
        if step == 3:
            raise KeyboardInterrupt
        return 1.0

    toy = Toy(config(epochs=10), losses=interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(toy, progress=progress)
    assert len(toy.seen) == 3
    capfd.readouterr()


def test_progress_is_shown_or_not(capfd) -> None:
    train(Toy(config(epochs=2)), progress=False)
    assert capfd.readouterr() == ("", "")
    train(Toy(config(epochs=2)), progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Training" in err
    assert "/6" in err


def test_embed_keeps_the_order_whatever_the_chunks() -> None:
    toy = Toy(config(steps=1))
    toy.train()
    for chunk_size in (1, 5, 12, 4096):
        embedding = embed(toy, as_source(MATRIX, CPU), chunk_size=chunk_size)
        assert embedding.dtype == np.float32
        assert np.array_equal(embedding, MATRIX * 2)
    assert not toy.training


def test_a_cell_left_over_joins() -> None:
    toy = Toy(config(epochs=1))
    train(toy, batch_size=4, n_cells=9)
    assert [len(x) for x in toy.seen] == [4, 5]
