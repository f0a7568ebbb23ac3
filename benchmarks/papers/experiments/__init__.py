"""The experiments, by name, in the order of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.papers.experiments import (
    ablation,
    batches,
    clusterers,
    cost,
    dropout,
    epochs,
    fidelity,
    genes,
    leiden_sweep,
    networks,
    pseudotime,
    real_sets,
    simulated,
    size,
    stability,
    steps,
    views,
)

if TYPE_CHECKING:
    from benchmarks.papers._experiment import Borrowed, Experiment

_ALL: tuple[Experiment | Borrowed, ...] = (
    fidelity.EXPERIMENT,
    simulated.BALANCED,
    simulated.IMBALANCED,
    real_sets.EXPERIMENT,
    genes.EXPERIMENT,
    cost.CELLS,
    cost.GENES,
    epochs.EXPERIMENT,
    clusterers.EXPERIMENT,
    stability.EXPERIMENT,
    views.DROPOUT,
    views.NOISE,
    networks.SHAPES,
    networks.RATES,
    real_sets.CLEAR,
    leiden_sweep.EXPERIMENT,
    dropout.EXPERIMENT,
    batches.REAL,
    batches.SIMULATED,
    pseudotime.EXPERIMENT,
    ablation.STEPS,
    ablation.STRENGTH,
    steps.EXPERIMENT,
    size.EXPERIMENT,
)
EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}
