"""The compiled loop: when it is taken, that threads change nothing, that its parts are independent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Generator, Tensor

import scclr_ext
from scclr_ext.engine import _compiled
from scclr_ext.engine._compiled import draw_compiled, gene_pairs
from scclr_ext.engine.augment import Augmentation, Crossover, CrossoverMany, GaussianNoise, Mask, Swap, Views

CELLS, GENES = 400, 100


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def clear_steps(probability: float = 0.5) -> list[Augmentation]:
    return [
        Mask(0.2, probability=probability),
        GaussianNoise(0.8, sd=0.2, probability=probability),
        Swap(0.1, probability=probability),
        Crossover(0.25, probability=probability),
        CrossoverMany(0.25, probability=probability),
    ]


def with_tensors(steps: list[Augmentation], x: Tensor, seed: int) -> Tensor:
    view, g = x, generator(seed)
    for step in steps:
        view = step.draw(view, x, g)
    return view


class Unknown(Augmentation):
    def distort(self, x: Tensor, donors: Tensor, rows: Tensor, generator: Generator) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("steps", "taken"),
    [
        (clear_steps(), True),
        ([Mask(0.5)], True),
        ([Mask(0.2), CrossoverMany(0.2)], True),
        ([GaussianNoise(0.2, sd=1.0), Mask(0.2)], False),
        ([Mask(0.2), Mask(0.2)], False),
        ([Mask(0.2), Unknown(0.2)], False),
    ],
)
def test_usual_steps_in_their_order_are_compiled(steps, taken) -> None:
    x = torch.ones(8, 6)
    assert (draw_compiled(steps, x, x, generator()) is not None) is taken
    assert Views(steps)(x, generator()).shape == x.shape


def test_what_the_loop_cannot_do_is_left_to_tensors() -> None:
    x = torch.ones(8, 6)
    assert draw_compiled([Mask(0.5)], x.double(), x.double(), generator()) is None
    assert draw_compiled([Mask(0.5)], x.clone().requires_grad_(), x, generator()) is None
    assert Mask(0.5)(x.double(), x.double(), generator()).dtype == torch.float64


def test_views_are_the_same_with_any_number_of_threads() -> None:
    x = torch.randn(300, 50, generator=generator(1))
    before = torch.get_num_threads()
    views = []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            views.append(Views(clear_steps())(x, generator()))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(views[0], views[1])
    assert torch.equal(views[0], views[2])


def test_rows_and_columns_may_lie_in_memory_any_way() -> None:
    x = torch.randn(40, 30, generator=generator(1))
    for other in (x.T.contiguous().T, torch.stack([x, x], 2)[..., 0]):
        assert not other.is_contiguous()
        assert torch.equal(Views(clear_steps())(other, generator()), Views(clear_steps())(x, generator()))


def test_a_whole_view_has_the_statistics_of_its_steps() -> None:
    """Each summary of many views must agree with that of the same steps taken with tensors."""
    x = torch.randn(CELLS, GENES, generator=generator(9)) + torch.arange(CELLS)[:, None]  # a cell shows in its level

    def summaries(view: Tensor) -> list[float]:
        zero, change = view == 0, (view - x)
        level = change.abs().round()
        return [
            float(zero.float().mean()),
            float((change == 0).float().mean()),
            float(((change != 0) & (level == 0) & ~zero).float().mean()),
            float((level > 0).float().mean()),
            float(level.mean()),
            float((change == 0).all(1).float().mean()),
            float((change == 0).float().mean(1).var()),
        ]

    compiled = np.array([summaries(Views(clear_steps())(x, generator(s))) for s in range(60)])
    tensors = np.array([summaries(with_tensors(clear_steps(), x, s)) for s in range(60)])
    for ours, theirs in zip(compiled.T, tensors.T, strict=True):
        assert stats.ttest_ind(ours, theirs).pvalue > 1e-3
        assert 0.5 < ours.std() / theirs.std() < 2


def test_a_cell_undergoes_each_step_independently_of_the_others() -> None:
    """One word decides on several steps: none may tell of another."""
    n = 4000
    base = torch.arange(1.0, 13).repeat(n, 1)
    base[:, 0] = torch.arange(n) + 100.0  # a donor shows in the first gene
    hits = []
    for step in clear_steps():
        step.rate = 1.0
        # The same seed: every step reads the cell's own stream, but other bits of it.
        hits.append((Views([step])(base, generator(4)) != base).any(1).numpy())
    correlation = np.corrcoef(np.array(hits).astype(float))[np.triu_indices(5, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n)


def test_the_genes_hit_by_two_steps_are_independent() -> None:
    x = torch.ones(CELLS, GENES) * torch.arange(1, CELLS + 1)[:, None]
    masked = Mask(0.5)(x, x, generator(2)) == 0
    noisy = GaussianNoise(0.5, sd=0.3)(x * 0, x, generator(2))
    crossed = Crossover(0.5)(x, x, generator(2)) != x
    many = CrossoverMany(0.5)(x, x, generator(2)) != x
    flags = np.stack([t.numpy().ravel().astype(float) for t in (masked, noisy != 0, noisy > 0, crossed, many)])
    correlation = np.corrcoef(flags)
    correlation[1, 2] = correlation[2, 1] = 0  # noise above zero is noise
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(CELLS * GENES)
    # ... and so are neighbouring genes, and neighbouring cells.
    for flag in (masked, noisy > 0, crossed, many):
        f = flag.float() - flag.float().mean()
        for a, b in ((f[:, 1:], f[:, :-1]), (f[1:], f[:-1])):
            assert abs(float((a * b).mean() / f.var())) < 4.5 / np.sqrt(f.numel())


def test_the_pairs_swapped_are_independent_of_the_genes_crossed() -> None:
    # Pair number p and gene number p are decided by the same word.
    x = torch.arange(GENES).float().repeat(CELLS, 1) + 1000 * torch.arange(CELLS)[:, None]
    g = generator(2)
    torch.empty(CELLS, dtype=torch.int64).random_(-(2**63), None, generator=g)
    left, _ = gene_pairs(GENES, g)
    swapped = (Swap(0.5)(x, x, generator(2)) != x)[:, left].float()
    assert 0.4 < float(swapped.mean()) < 0.6
    for other in (Crossover(0.5), CrossoverMany(0.5)):
        crossed = (other(x, x, generator(2)) != x)[:, : len(left)].float()
        covariance = ((swapped - swapped.mean()) * (crossed - crossed.mean())).mean()
        assert abs(float(covariance)) < 4.5 * 0.25 / np.sqrt(swapped.numel())


def test_noise_takes_the_middles_of_the_quantiles() -> None:
    values = np.sort(_compiled._noise(1 << 17, 0.5))
    assert values.std() == pytest.approx(0.5, rel=1e-6)
    assert abs(values.mean()) < 1e-6
    expected = 0.5 * stats.norm.ppf((np.arange(1 << 17) + 0.5) / (1 << 17))
    assert np.abs(values - expected).max() < 1e-3
    assert (values == 0).sum() == 0, "a gene that is hit changes"


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
def test_genes_are_paired_at_most_once(n) -> None:
    left, right = gene_pairs(n, generator())
    assert len(left) == len(right) == n // 2
    assert len(set(left.tolist()) | set(right.tolist())) == n // 2 * 2


def test_numba_waits_until_views_are_drawn(tmp_path) -> None:
    code = "import sys, scclr_ext.engine.methods; assert 'numba' not in sys.modules, 'too early'"
    root = Path(scclr_ext.__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)})
