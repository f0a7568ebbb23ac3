"""What an experiment is: data, methods, seeds, scores, and what of it is shown."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from matplotlib.figure import Figure

    from benchmarks.papers._beside import Beside
    from benchmarks.papers._shown import Table

RESULTS = Path(__file__).with_name("results")


class Run(NamedTuple):
    """One embedding to make and score; the key of a row."""

    data: str
    method: str
    seed: int


@dataclass(frozen=True)
class Data:
    """Counts with `obs["cell_type"]`, made from a seed; `facts` become columns of the results."""

    load: Callable[[int], AnnData]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """Makes an embedding of counts with a seed; `facts` become columns of the results."""

    embed: Callable[[AnnData, int], np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the page says of an experiment, and shows of its rows."""

    name: str
    title: str
    paper: str
    """Where it stands: paper and figure."""
    published: str
    """What the authors did and found."""
    here: str
    """What is done here, and where it differs."""
    beside: tuple[Beside, ...] = ()
    tables: tuple[Table, ...] = ()
    figure: Callable[[pd.DataFrame], Figure] | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment(Shown):
    """Every method on every data set with every seed."""

    data: Mapping[str, Data]
    methods: Mapping[str, Method]
    score: Callable[[np.ndarray, AnnData, int], dict[str, Any]]
    seeds: int = 3
    quick: tuple[str, ...]
    """Methods of the quick run, which sees one tiny set."""
    only: Callable[[Run], bool] | None = None
    """Which of all combinations are part of it; None for all."""

    key = Run._fields

    def jobs(self) -> Iterable[Run]:
        """The runs, seed by seed: an interrupted experiment has something of everything."""
        runs = [Run(data, method, seed) for seed in range(self.seeds) for data in self.data for method in self.methods]
        return [run for run in runs if self.only is None or self.only(run)]

    def quick_jobs(self, name: str) -> Iterable[Run]:
        """The runs on the tiny set of that name."""
        return [Run(name, method, 0) for method in self.quick]

    def path(self) -> Path:
        """Where the rows are."""
        return RESULTS / f"{self.name}.csv"

    def measure(self, run: Run, data: Data) -> dict[str, Any]:
        """Embed and score."""
        adata = data.load(run.seed)
        method = self.methods[run.method]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a published preset that collapses says so in its scores
            start = time.perf_counter()
            rep = method.embed(adata, run.seed)
            seconds = time.perf_counter() - start
            scores = self.score(rep, adata, run.seed)
        return {**data.facts, **method.facts, "n_cells": len(rep), **scores, "seconds": seconds}


@dataclass(frozen=True, kw_only=True)
class Borrowed(Shown):
    """Rows of another benchmark: its jobs, its measuring, its file."""

    key: tuple[str, ...]
    all_jobs: tuple[Any, ...]
    tiny_jobs: Callable[[str], Iterable[Any]]
    """The quick run's, on the set of that name."""
    run: Callable[[Any], dict[str, Any] | None]
    results: Path
    choose: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    """Which of its rows are shown."""

    def jobs(self) -> Iterable[Any]:
        """All runs."""
        return self.all_jobs

    def quick_jobs(self, name: str) -> Iterable[Any]:
        """The runs on the tiny set of that name."""
        return self.tiny_jobs(name)

    def path(self) -> Path:
        """Where the rows are."""
        return self.results
