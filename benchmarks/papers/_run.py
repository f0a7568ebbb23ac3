"""One run of one experiment, in whichever process."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm.auto import tqdm

import scclr_ext as clr
from benchmarks.papers._experiment import Borrowed, Data
from benchmarks.papers.data import real
from benchmarks.papers.experiments import EXPERIMENTS
from benchmarks.quality import sets

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.papers._experiment import Experiment

TINY = "tiny"
"""Name of the set of the quick run."""


def prepare(folder: Path | None) -> None:
    """Set a process up: one thread, quiet, and the data of the quick run where its folder is given."""
    torch.set_num_threads(1)
    clr.settings.progress = False
    warnings.filterwarnings("ignore")
    if folder is not None:
        sets.FOLDER = folder


def _data(experiment: Experiment, name: str) -> Data:
    if name in experiment.data:
        return experiment.data[name]
    # The tiny set stands for the experiment's first one.
    return Data(real(name, also=("stage_order",)).load, next(iter(experiment.data.values())).facts)


def measure(name: str, job: Any) -> dict[str, Any] | None:
    """The row of a run; None, with a word of why, where it cannot be had (it is tried again next time)."""
    experiment = EXPERIMENTS[name]
    try:
        if isinstance(experiment, Borrowed):
            return experiment.run(job)
        return experiment.measure(job, _data(experiment, job.data))
    except ModuleNotFoundError as error:
        why = f"{error}"
    except FileNotFoundError:
        why = f"no such file in {sets.FOLDER} (SCCLR_DATA)"
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        why = f"{type(error).__name__}: {error}"
    tqdm.write(f"{name}, {' '.join(map(str, job))} left out: {why}")
    return None
