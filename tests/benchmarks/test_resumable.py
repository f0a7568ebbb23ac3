"""A benchmark that was interrupted goes on where it was, and measures nothing twice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

resumable = pytest.importorskip("benchmarks._resumable", reason="the benchmarks are not part of the source archive")


class Job(NamedTuple):
    set: str
    rate: float
    seed: int


JOBS = [Job(name, rate, seed) for name in ("b", "a") for rate in (0.1, 0.8) for seed in range(2)]


def score(job: Job) -> float:
    return job.rate + 10 * job.seed + (job.set == "a")


def test_each_job_once_whatever_happens_in_between(tmp_path) -> None:
    path, measured = tmp_path / "results.csv", []

    def measure(job):
        if len(measured) == 3:
            measured.append(None)
            raise KeyboardInterrupt
        measured.append(job)
        return {"score": score(job)}

    with pytest.raises(KeyboardInterrupt):
        resumable.measure_missing(JOBS, measure, path, key=Job._fields)
    results = resumable.measure_missing(JOBS, measure, path, key=Job._fields)
    assert sorted(job for job in measured if job) == sorted(JOBS)
    for row in results.itertuples():
        assert row.score == pytest.approx(score(Job(row.set, row.rate, row.seed)))
    assert len(results) == len(JOBS)


def test_again_replaces_the_row_and_only_that(tmp_path) -> None:
    path = tmp_path / "results.csv"
    resumable.measure_missing(JOBS, lambda job: {"score": score(job)}, path, key=Job._fields)
    results = resumable.measure_missing(JOBS[:1], lambda job: {"score": -1.0}, path, key=Job._fields, again=True)
    assert len(results) == len(JOBS)
    assert (results["score"] == -1).sum() == 1
    assert results.loc[results["score"] == -1, "set"].item() == JOBS[0].set


def test_what_cannot_be_measured_is_tried_again(tmp_path) -> None:
    path, tried = tmp_path / "results.csv", []

    def measure(job):
        tried.append(job)
        return None if job.set == "a" and len(tried) <= len(JOBS) else {"score": 1.0}

    assert len(resumable.measure_missing(JOBS, measure, path, key=Job._fields)) == 4
    assert len(resumable.measure_missing(JOBS, measure, path, key=Job._fields)) == 8
    assert len(tried) == 12


def test_rows_of_another_process_are_kept(tmp_path) -> None:
    path = tmp_path / "results.csv"

    def measure(job):
        if job == JOBS[0]:
            resumable.measure_missing(JOBS[4:], lambda job: {"score": 2.0}, path, key=Job._fields)
        return {"score": 1.0}

    results = resumable.measure_missing(JOBS[:4], measure, path, key=Job._fields)
    assert sorted(results["score"]) == [1.0] * 4 + [2.0] * 4


def test_an_embedding_is_made_once(tmp_path) -> None:
    made = []

    def embed():
        made.append(1)
        return np.arange(6.0).reshape(3, 2)

    file = tmp_path / "folder" / "a.npz"
    first, again = resumable.keep(embed, file), resumable.keep(embed, file)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert len(made) == 1
    resumable.keep(embed, None)
    assert len(made) == 2
