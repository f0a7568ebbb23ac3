"""The five augmentations: how often, on whom, what never changes; the same for the compiled loop and for tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Generator, Tensor

from scclr_ext.engine import augment
from scclr_ext.engine.augment import (
    Augmentation,
    Crossover,
    CrossoverMany,
    GaussianNoise,
    GeneSubset,
    Mask,
    Swap,
    Views,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS, GENES = 500, 200
AUGMENTATIONS = {
    "mask": lambda rate, p: Mask(rate, probability=p),
    "rescaled mask": lambda rate, p: Mask(rate, probability=p, rescale=True),
    "noise": lambda rate, p: GaussianNoise(rate, sd=0.2, probability=p),
    "swap": lambda rate, p: Swap(rate, probability=p),
    "crossover": lambda rate, p: Crossover(rate, probability=p),
    "crossover-many": lambda rate, p: CrossoverMany(rate, probability=p),
}
CROSSOVERS = [Crossover, CrossoverMany]
every = pytest.mark.parametrize("name", AUGMENTATIONS)


@pytest.fixture(scope="module", params=["compiled", "tensors"], autouse=True)
def drawn_by(request) -> Iterator[str]:
    """Run every test twice."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "tensors":
            patch.setattr(augment, "draw_compiled", lambda *_: None)
        yield request.param


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def labelled(cells: int = CELLS, genes: int = GENES) -> Tensor:
    """Values that tell the cell and the gene they come from, none of them zero."""
    return torch.arange(1, cells * genes + 1, dtype=torch.float32).view(cells, genes)


def origin(x: Tensor) -> tuple[Tensor, Tensor]:
    """Read cell and gene back from `labelled` values."""
    value = x.long() - 1
    return value // x.shape[1], value % x.shape[1]


def apply(step: Augmentation, x: Tensor, seed: int = 0, donors: Tensor | None = None) -> Tensor:
    return step(x, x if donors is None else donors, generator(seed))


def assert_rate(hits: int, n: int, rate: float, *, per: int = 1) -> None:
    """Binomial bounds of 4.5 standard deviations; `per` hits come together."""
    assert abs(hits - n * rate) <= 4.5 * np.sqrt(per * n * rate * (1 - rate)), f"{hits} of {n}, expected {rate}"


# How often


@every
@pytest.mark.parametrize("rate", [0.1, 0.25, 0.8])
def test_share_of_genes_hit(name, rate) -> None:
    # A label of 1e5 plus a little noise rounds back to itself: noise is added to zeros.
    x = torch.zeros(CELLS, GENES) if name == "noise" else labelled()
    view = apply(AUGMENTATIONS[name](rate, 1.0), x)
    changed = view == 0 if "mask" in name else view != x
    # A pair of genes is swapped together.
    assert_rate(int(changed.sum()), CELLS * GENES, rate, per=2 if name == "swap" else 1)
    # Independently for each cell and each gene: every row and column has that rate, with a binomial spread.
    for axis, n in ((0, CELLS), (1, GENES)):
        share = changed.float().mean(axis).numpy()
        assert np.abs(share - rate).max() < 6 * np.sqrt(2 * rate * (1 - rate) / n)
        assert share.std() > 0.5 * np.sqrt(rate * (1 - rate) / n), "a rate is met on average, not to the last gene"


@every
@pytest.mark.parametrize("probability", [0.2, 0.5, 0.9])
def test_each_cell_is_hit_with_its_probability(name, probability) -> None:
    x = labelled(4000, 20)  # below 2^24: exact in float32
    step = AUGMENTATIONS[name](0.8, probability)
    if name == "noise":
        x = torch.zeros_like(x)
    changed = apply(step, x) != x
    hit = changed.any(1)
    assert_rate(int(hit.sum()), 4000, probability)
    if name != "rescaled mask":  # there a survivor changes, too
        assert_rate(int(changed[hit].sum()), int(hit.sum()) * 20, 0.8, per=2 if name == "swap" else 1)


@every
def test_nothing_happens_at_rate_or_probability_zero(name) -> None:
    x = labelled(20, 10)
    g = generator()
    before = g.get_state()
    for rate, probability in ((0.0, 1.0), (0.5, 0.0)):
        assert torch.equal(AUGMENTATIONS[name](rate, probability)(x, x, g), x)
    assert torch.equal(g.get_state(), before)


@pytest.mark.parametrize("name", [n for n in AUGMENTATIONS if n != "rescaled mask"])
def test_everything_is_hit_at_rate_one(name) -> None:
    x = labelled(20, 10)
    view = apply(AUGMENTATIONS[name](1.0, 1.0), x)
    assert (view != x).all()
    if name == "mask":
        assert (view == 0).all()


@every
def test_views_repeat_under_their_seed_and_differ_under_another(name) -> None:
    x = labelled(30, 40)
    step = AUGMENTATIONS[name](0.5, 0.5)
    assert torch.equal(apply(step, x, 1), apply(step, x, 1))
    assert not torch.equal(apply(step, x, 1), apply(step, x, 2))


# What never changes


@pytest.mark.parametrize("rate", [0.3, 1.0])
@pytest.mark.parametrize("probability", [0.5, 1.0])
@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(list(AUGMENTATIONS)),
    cells=st.integers(1, 40),
    genes=st.integers(1, 40),
    seed=st.integers(0, 999),
)
def test_any_shape_works_and_input_and_donors_stay(name, rate, probability, cells, genes, seed) -> None:
    if name == "rescaled mask" and rate == 1:
        rate = 0.9
    x, donors = labelled(cells, genes), -labelled(cells, genes)
    x_before, donors_before = x.clone(), donors.clone()
    view = apply(AUGMENTATIONS[name](rate, probability), x, seed, donors)
    assert view.shape == x.shape
    assert view.dtype == torch.float32
    assert view.isfinite().all()
    assert torch.equal(x, x_before)
    assert torch.equal(donors, donors_before)


@settings(max_examples=30, deadline=None)
@given(cells=st.integers(1, 40), genes=st.integers(1, 40), rate=st.floats(0, 1), seed=st.integers(0, 999))
def test_mask_only_zeroes(cells, genes, rate, seed) -> None:
    x = labelled(cells, genes)
    view = apply(Mask(rate), x, seed)
    assert torch.equal(view[view != 0], x[view != 0])


@settings(max_examples=30, deadline=None)
@given(
    cells=st.integers(1, 40), genes=st.integers(1, 40), rate=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 999)
)
def test_a_subset_keeps_the_same_genes_of_every_cell(cells, genes, rate, seed) -> None:
    x = labelled(cells, genes)
    view = apply(GeneSubset(rate), x, seed)
    kept = (view != 0).all(0)
    assert torch.equal(view, torch.where(kept, x, 0))
    assert int(kept.sum()) == max(round(genes * (1 - rate)), 1)
    if rate > 0:
        assert torch.equal(kept.nonzero().ravel(), GeneSubset(rate).kept(genes, generator(seed)))


def test_every_gene_is_in_the_subset_equally_often_and_views_have_their_own() -> None:
    x, step, g = labelled(2, 20), GeneSubset(0.75), generator()
    kept = torch.stack([step(x, x, g)[0] != 0 for _ in range(600)])
    for gene in range(20):
        assert_rate(int(kept[:, gene].sum()), 600, 0.25)
    both = kept[:-1] & kept[1:]
    assert_rate(int(both.sum()), both.numel(), 0.25**2)


def test_rescaling_keeps_the_mean_as_dropout_does() -> None:
    x = torch.rand(CELLS, GENES, generator=generator()) + 1
    view = apply(Mask(0.9, rescale=True), x)
    kept = view != 0
    assert view[kept].numpy() == pytest.approx((x[kept] / 0.1).numpy(), rel=1e-6)
    assert float(view.mean()) == pytest.approx(float(x.mean()), rel=0.05)


def test_a_cell_that_is_not_masked_is_not_rescaled() -> None:
    x = labelled(400, 60)
    view = apply(Mask(0.5, probability=0.5, rescale=True), x)
    masked = (view == 0).any(1)
    assert 100 < int(masked.sum()) < 300
    assert torch.equal(view[~masked], x[~masked])
    survivors = view[masked]
    assert torch.equal(survivors[survivors != 0], (x[masked] * 2)[survivors != 0])


@pytest.mark.parametrize("sd", [0.2, 0.5])
def test_noise_is_normal_with_its_sd_and_only_on_its_share(sd) -> None:
    x = torch.zeros(CELLS, GENES)
    noise = apply(GaussianNoise(0.8, sd=sd), x)
    drawn = noise[noise != 0].numpy()
    assert drawn.std() == pytest.approx(sd, rel=0.02)
    assert abs(drawn.mean()) < 4.5 * sd / np.sqrt(drawn.size)
    assert stats.kstest(drawn[::20] / sd, "norm").pvalue > 1e-3
    # It is added: what it is added to does not matter.
    shifted = apply(GaussianNoise(0.8, sd=sd), x + 2)
    assert (shifted - 2).numpy() == pytest.approx(noise.numpy(), abs=1e-6)


def test_noise_without_spread_is_none() -> None:
    x = labelled(10, 10)
    assert torch.equal(apply(GaussianNoise(0.8, sd=0.0), x), x)


@settings(max_examples=40, deadline=None)
@given(cells=st.integers(1, 40), genes=st.integers(1, 40), rate=st.floats(0, 1), seed=st.integers(0, 999))
def test_swap_keeps_the_values_of_each_cell(cells, genes, rate, seed) -> None:
    x = labelled(cells, genes)
    view = apply(Swap(rate), x, seed)
    assert torch.equal(view.sort(dim=1).values, x)
    # ... and what went one way came back the other: a swap, no longer cycle.
    partner = origin(view)[1]
    assert torch.equal(partner.gather(1, partner), torch.arange(genes).expand(cells, genes))


def test_every_gene_is_swapped_with_every_other() -> None:
    partners = set()
    for seed in range(200):
        partners |= set(zip(*(t.tolist() for t in _moved(apply(Swap(1.0), labelled(1, 5), seed))), strict=True))
    assert partners == {(i, j) for i in range(5) for j in range(5) if i != j}


def _moved(view: Tensor) -> tuple[Tensor, Tensor]:
    gene = origin(view)[1][0]
    here = torch.arange(len(gene))
    return here[gene != here], gene[gene != here]


@pytest.mark.parametrize("kind", CROSSOVERS)
@settings(max_examples=30, deadline=None)
@given(
    cells=st.integers(2, 40),
    genes=st.integers(1, 40),
    rate=st.floats(0, 1),
    probability=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_crossovers_take_the_same_gene_of_other_cells(kind, cells, genes, rate, probability, seed) -> None:
    x, donors = labelled(cells, genes), -labelled(cells, genes)  # what is borrowed shows by its sign
    view = apply(kind(rate, probability=probability), x, seed, donors)
    borrowed = view < 0
    assert torch.equal(view[~borrowed], x[~borrowed])
    cell, gene = origin(view.abs())
    here = torch.arange(cells)[:, None].expand_as(cell)
    assert torch.equal(gene, torch.arange(genes).expand_as(gene)), "never from another gene"
    assert (cell[borrowed] != here[borrowed]).all(), "never from the cell itself"
    if kind is Crossover:
        for donor, taken in zip(cell, borrowed, strict=True):
            assert len(donor[taken].unique()) <= 1, "one donor per cell"


def test_crossover_many_gives_each_gene_its_own_cell() -> None:
    view = apply(CrossoverMany(1.0), labelled())
    cell, _ = origin(view)
    # 200 draws from 499 cells: about 499 (1 - (498/499)^200) = 165 different ones.
    distinct = [len(row.unique()) for row in cell]
    assert np.mean(distinct) == pytest.approx(499 * (1 - (498 / 499) ** 200), rel=0.01)


@pytest.mark.parametrize("kind", CROSSOVERS)
@pytest.mark.parametrize("probability", [0.5, 1.0])
def test_every_other_cell_is_a_donor_equally_often(kind, probability) -> None:
    cells = 5
    x = labelled(cells, 6)
    counts = np.zeros((cells, cells))
    for seed in range(600):
        view = apply(kind(1.0, probability=probability), x, seed)
        donors = origin(view)[0][:, 0]
        counts[np.arange(cells), donors] += (view[:, 0] != x[:, 0]).numpy()
    assert (np.diag(counts) == 0).all()
    for i, row in enumerate(counts):
        assert stats.chisquare(np.delete(row, i)).pvalue > 1e-4
        assert_rate(int(row.sum()), 600, probability)


@pytest.mark.parametrize("kind", CROSSOVERS)
def test_a_cell_alone_has_no_one_to_borrow_from(kind) -> None:
    x = labelled(1, 10)
    assert torch.equal(apply(kind(1.0), x), x)


@pytest.mark.parametrize("kind", CROSSOVERS)
def test_of_two_cells_each_borrows_from_the_other(kind) -> None:
    x = labelled(2, 10)
    assert torch.equal(apply(kind(1.0), x), x.flip(0))


# One after the other


class Spy(Augmentation):
    """Adds one, and remembers what it was given."""

    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        self.x, self.donors, self.rows = x.clone(), donors.clone(), rows
        return x + 1


def test_each_step_gets_the_result_of_the_one_before_and_the_undistorted_donors() -> None:
    x = labelled(6, 4)
    steps = [Spy(1.0), Spy(1.0), Spy(1.0)]
    view = Views(steps)(x, generator())
    for i, step in enumerate(steps):
        assert torch.equal(step.x, x + i)
        assert torch.equal(step.donors, x)
        assert step.rows.tolist() == list(range(6))
    assert torch.equal(view, x + 3)


def test_rows_say_which_cells_a_step_sees() -> None:
    x = labelled(40, 4)
    step = Spy(1.0, probability=0.5)
    view = apply(step, x)
    assert 0 < len(step.rows) < 40
    assert torch.equal(step.x, x[step.rows])
    assert torch.equal((view != x).any(1).nonzero().squeeze(1), step.rows)


def test_a_donor_is_taken_as_it_was_before_the_mask() -> None:
    x = labelled(50, 40)
    view = Views([Mask(1.0), Crossover(0.5), CrossoverMany(0.5)])(x, generator())
    cell, gene = origin(view)
    borrowed = view != 0
    assert_rate(int(borrowed.sum()), 2000, 0.75)
    assert (gene == torch.arange(40))[borrowed].all()
    assert (cell != torch.arange(50)[:, None])[borrowed].all()
    # In the other order nothing outlives the mask.
    assert (Views([Crossover(0.5), CrossoverMany(0.5), Mask(1.0)])(x, generator()) == 0).all()


def test_two_views_are_drawn_independently() -> None:
    x = labelled()
    views, g = Views([Mask(0.5)]), generator()
    first, second = views(x, g) == 0, views(x, g) == 0
    assert_rate(int((first & second).sum()), CELLS * GENES, 0.25)


def test_no_steps_leave_the_cells_as_they_are() -> None:
    x = labelled(5, 5)
    assert torch.equal(Views([])(x, generator()), x)


@every
def test_an_empty_choice_of_cells_is_no_error(name) -> None:
    # A probability this small picks no one.
    x = labelled(3, 7)
    assert torch.equal(apply(AUGMENTATIONS[name](0.5, 1e-6), x), x)


def test_settings_are_printed() -> None:
    assert "rate=0.2, probability=0.5" in repr(Views([Mask(0.2, probability=0.5)]))
