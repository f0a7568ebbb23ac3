"""Runs that may be interrupted: each row is written as it is measured, and what is there is not measured again."""

from __future__ import annotations

import time
from concurrent.futures import as_completed
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from pathlib import Path


class Job(Protocol):
    """A NamedTuple; its fields are the columns that tell rows apart."""

    _fields: tuple[str, ...]

    def _asdict(self) -> dict[str, Any]: ...


J = TypeVar("J", bound=Job)


def measure_missing(
    jobs: Iterable[J],
    measure: Callable[[J], dict[str, Any] | None],
    path: Path,
    *,
    key: tuple[str, ...],
    again: bool = False,
    pool: Executor | None = None,
    label: str | None = None,
) -> pd.DataFrame:
    """Measure the jobs that have no row yet, and return all rows.

    Parameters
    ----------
    jobs
        What to measure.
    measure
        Makes the scores of a job; None where it cannot be measured (it is tried again next time).
    path
        CSV file, written anew after each row.
    key
        The fields of a job.
    again
        Also measure what has a row.
    pool
        Where several jobs are measured at a time; `measure` must then be picklable. None measures them here.
    label
        Shown before the progress bar.
    """
    columns = list(key)
    results = _read(path, columns)
    done = set() if again else set(results[columns].itertuples(index=False, name=None))
    missing = [job for job in jobs if job not in done]
    for job, scores in tqdm(_measured(missing, measure, pool), desc=label, total=len(missing), unit="run"):
        if scores is None:
            continue
        row = {**job._asdict(), **scores}
        results = _read(path, columns)  # another process may have added rows
        results = results[~(results[columns] == [row[name] for name in columns]).all(axis=1)]
        measured = pd.DataFrame([row])
        results = measured if results.empty else pd.concat([results, measured], ignore_index=True)
        results.sort_values(columns).to_csv(path, index=False, float_format="%.4f")
    return _read(path, columns)


def keep(embed: Callable[[], np.ndarray], file: Path | None) -> tuple[np.ndarray, float]:
    """Return an embedding and the seconds it took; read from `file` where it is there, else written to it."""
    if file is not None and file.exists():
        stored = np.load(file)
        return stored["rep"], float(stored["seconds"])
    start = time.perf_counter()
    rep = embed()
    seconds = time.perf_counter() - start
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, rep=rep, seconds=seconds)
    return rep, seconds


def _measured(
    jobs: list[J], measure: Callable[[J], dict[str, Any] | None], pool: Executor | None
) -> Iterator[tuple[J, dict[str, Any] | None]]:
    if pool is None:
        for job in jobs:
            yield job, measure(job)
        return
    running = {pool.submit(measure, job): job for job in jobs}
    try:
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        for future in running:
            future.cancel()


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=columns)
