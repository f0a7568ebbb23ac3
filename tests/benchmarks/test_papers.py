"""Every experiment of the papers has a quick run, goes on where it was, and its page says what was measured."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

pytest.importorskip("benchmarks.papers", reason="the benchmarks are not part of the source archive")

from benchmarks._resumable import measure_missing
from benchmarks.papers import __main__ as papers
from benchmarks.papers import _run, report
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Borrowed, Data, Experiment, Method, Run
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real, stratified, two_batches, write_tiny
from benchmarks.papers.experiments import EXPERIMENTS
from benchmarks.papers.experiments.leiden_sweep import unfold
from benchmarks.papers.experiments.simulated import shares
from benchmarks.papers.scores import _agreement
from benchmarks.quality import sets

ISSUE = ("1a", "1b", "2", "3", "4a", "4b", "4c", "5", "6", "7a", "7b", "7c", "7d", "8a", "8b", "9", "10a", "10b", "11")
ISSUE += ("12a", "12b", "12c", "13")


class Cells:
    """Stands for an AnnData: only its number of cells is looked at."""

    def __init__(self, seed: int) -> None:
        self.seed = seed


def toy(**changes) -> Experiment:
    embedded = []

    def method(name: str) -> Method:
        def embed(adata: Cells, seed: int) -> np.ndarray:
            embedded.append((name, seed))
            return np.zeros((4, 2))

        return Method(embed, {"strength": len(name)})

    made = {
        "name": "toy",
        "title": "0. Toy",
        "paper": "a paper, fig. 1",
        "published": "It works.",
        "here": "It does.",
        "data": {name: Data(Cells, {"set": name}) for name in ("b", "a")},
        "methods": {name: method(name) for name in ("PCA", "ours")},
        "score": lambda rep, adata, seed: {"ari": 0.5 + 0.1 * seed},
        "seeds": 2,
        "quick": ("PCA",),
    }
    experiment = Experiment(**{**made, **changes})
    object.__setattr__(experiment, "embedded", embedded)
    return experiment


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """A toy experiment that the runner knows, with its results in a folder of the test."""
    experiment = toy()
    for module in (papers, _run):
        monkeypatch.setattr(module, "EXPERIMENTS", {"toy": experiment})
    monkeypatch.setattr("benchmarks.papers._experiment.RESULTS", tmp_path / "results")
    return experiment


def test_every_experiment_of_the_issue_is_there_and_has_a_quick_run() -> None:
    titles = [experiment.title.split(".")[0] for experiment in EXPERIMENTS.values() if experiment.title[0].isdigit()]
    assert tuple(titles) == ISSUE
    for name, experiment in EXPERIMENTS.items():
        assert experiment.name == name
        jobs, quick = list(experiment.jobs()), list(experiment.quick_jobs("tiny"))
        assert jobs, name
        assert len(set(jobs)) == len(jobs), name
        assert quick, name
        assert all(isinstance(job, type(jobs[0])) for job in quick), name
        if isinstance(experiment, Experiment):
            assert {job.method for job in quick} <= set(experiment.methods), name
            wanted = {figure.where.get("method") for figure in experiment.beside} - {None}
            assert wanted <= set(experiment.methods), name
            datas = {figure.where.get("data") for figure in experiment.beside} - {None}
            assert datas <= set(experiment.data), name
        else:
            assert isinstance(experiment, Borrowed)


def test_an_interrupted_experiment_goes_on_and_measures_nothing_twice(registered, tmp_path) -> None:
    papers.main(["--only", "toy", "--seeds", "1", "--methods", "PCA", "--results-only"])
    assert registered.embedded == [("PCA", 0)] * 2
    papers.main(["--only", "toy", "--results-only"])
    assert sorted(registered.embedded) == sorted([(m, s) for m in ("PCA", "ours") for s in (0, 1)] * 2)
    rows = pd.read_csv(tmp_path / "results" / "toy.csv")
    assert set(rows[list(Run._fields)].itertuples(index=False, name=None)) == set(registered.jobs())
    assert rows.loc[rows["method"] == "ours", "strength"].eq(4).all()
    assert rows.loc[rows["seed"] == 1, "ari"].eq(0.6).all()


def test_a_run_that_cannot_be_had_leaves_no_row_and_is_tried_again(monkeypatch, tmp_path, capsys) -> None:
    def missing(seed: int) -> Cells:
        raise FileNotFoundError("b.h5ad")

    experiment = toy(data={"b": Data(missing), "a": Data(Cells)})
    monkeypatch.setattr(_run, "EXPERIMENTS", {"toy": experiment})
    rows = measure_missing(
        experiment.jobs(), lambda job: _run.measure("toy", job), tmp_path / "toy.csv", key=experiment.key
    )
    assert set(rows["data"]) == {"a"}
    assert "SCCLR_DATA" in capsys.readouterr().out
    assert report.measured(experiment, rows).startswith("4 of 8 runs")


def test_a_pool_measures_the_same(tmp_path) -> None:
    jobs = [Run("a", "PCA", seed) for seed in range(6)]
    with ThreadPoolExecutor(2) as pool:
        rows = measure_missing(jobs, lambda job: {"ari": job.seed}, tmp_path / "t.csv", key=Run._fields, pool=pool)
    assert rows["seed"].tolist() == rows["ari"].tolist() == list(range(6))


def test_the_page_says_what_was_measured_beside_what_was_published(tmp_path) -> None:
    experiment = toy(
        beside=(
            Beside(what="ours on a", paper="0.77", value="ari", where={"data": "a", "method": "ours"}),
            Beside(what="ours on b", paper="0.11", value="ari", where={"data": "b", "method": "ours"}),
        ),
        tables=(
            Table(title="ARI", value="ari"),
            Table(title="Means", rows="method", values={"score": "ari"}),
            Table(title="Variation", rows="method", values={"score": "ari"}, how="cv"),
        ),
    )
    rows = [("b", "PCA", 0, 0.5), ("a", "PCA", 0, 0.25), ("a", "ours", 0, 0.6), ("a", "ours", 1, 0.8)]
    table = pd.DataFrame(rows, columns=["data", "method", "seed", "ari"]).sort_values("ari")
    table.to_csv(tmp_path / "toy.csv", index=False)
    report.write([experiment], tmp_path / "docs", tmp_path)
    text = (tmp_path / "docs" / "tables" / "papers_toy.md").read_text()
    assert "4 of 8 runs are here" in text
    assert "| ours on a | 0.77 | 0.70 | 2 |" in text
    assert "| ours on b | 0.11 | not yet run | 0 |" in text
    assert "| b | 0.50 | – | 1 |\n| a | 0.25 | 0.70 ± 0.14 | 1 to 2 |" in text  # the experiment's order
    assert "| PCA | 0.38 | 2 |\n| ours | 0.70 | 2 |" in text
    assert "| PCA | – | 2 |\n| ours | 0.20 | 2 |" in text


def test_no_rows_make_a_page_that_says_so(tmp_path) -> None:
    report.write([toy(tables=(Table(title="ARI", value="ari"),))], tmp_path / "docs", tmp_path)
    text = (tmp_path / "docs" / "tables" / "papers_toy.md").read_text()
    assert "0 of 8 runs are here" in text
    assert "|" not in text


def test_means_count_every_set_once() -> None:
    table = pd.DataFrame(
        {"data": ["a", "a", "a", "b"], "method": "ours", "seed": [0, 1, 2, 0], "ari": [0.9, 0.9, 0.9, 0.1]}
    )
    assert Beside(what="x", paper="1", value="ari").row(table)[2:] == ("0.50", "4 on 2 sets")
    assert "| ours | 0.50 | 4 |" in Table(title="t", rows="method", values={"ARI": "ari"}).text(table)


def test_a_failed_quick_run_is_an_error(registered, monkeypatch, tmp_path) -> None:
    broken = replace(registered, methods={"PCA": Method(lambda adata, seed: np.linalg.inv(np.zeros((2, 2))))})
    for module in (papers, _run):
        monkeypatch.setattr(module, "EXPERIMENTS", {"toy": broken})
    monkeypatch.setattr(sets, "FOLDER", sets.FOLDER)  # put back afterwards
    with pytest.raises(SystemExit, match="1 of 1 quick runs failed"):
        papers.main(["--only", "toy", "--quick", "--folder", str(tmp_path / "quick")])


def test_agreement_of_clusters_with_types() -> None:
    types = np.repeat(["a", "b", "c"], 20)
    rep = np.eye(3)[np.repeat(range(3), 20)] * 10 + np.random.default_rng(0).normal(size=(60, 3))
    perfect, halved = (_agreement(rep, types, found, 0) for found in (types, np.repeat(range(6), 10)))
    assert (perfect["ari"], perfect["nmi"], perfect["n"], perfect["error"]) == (1, 1, 3, 0)
    assert halved["error"] == 1
    assert halved["ari"] == pytest.approx(adjusted_rand_score(types, np.repeat(range(6), 10)))
    for name in ("silhouette", "calinski"):
        assert perfect[name] > halved[name]
    one = _agreement(rep, types, np.zeros(60), 0)
    assert one["error"] == pytest.approx(-2 / 3)
    assert np.isnan(one["silhouette"])


def test_the_tiny_set_has_what_every_experiment_asks_for(tmp_path, monkeypatch) -> None:
    write_tiny(tmp_path / "tiny.h5ad")
    monkeypatch.setattr(sets, "FOLDER", tmp_path)
    adata = real("tiny", fraction=0.5, dropped=0.3, also=("stage_order",)).load(0)
    assert adata.n_obs == 120
    assert set(adata.obs) == {"cell_type", "batch", "stage_order"}
    assert (adata.obs.groupby("cell_type", observed=True)["stage_order"].nunique() == 1).all()
    assert adata.obs["batch"].nunique() == 2


def test_a_stratified_part_has_every_type() -> None:
    types = np.repeat(["many", "few"], [96, 4])
    cells = stratified(types, 0.25, 0)
    assert dict(zip(*np.unique(types[cells], return_counts=True), strict=True)) == {"few": 2, "many": 24}
    assert (stratified(types, 0.25, 1) != cells).any()


def test_two_batches_share_two_of_four_types() -> None:
    adata = two_batches().load(0)
    table = pd.crosstab(adata.obs["cell_type"], adata.obs["batch"]) > 0
    assert table.sum(axis=1).to_dict() == {"CD141": 1, "CD1C": 1, "DoubleNeg": 2, "pDC": 2}
    assert (table.loc["CD141"] != table.loc["CD1C"]).all()


@pytest.mark.parametrize("groups", [4, 8, 16])
def test_imbalanced_shares(groups) -> None:
    found = np.array(shares(groups))
    assert found.sum() == pytest.approx(1)
    assert (found[0], found[-1]) == pytest.approx((0.01, 0.5))
    assert (np.diff(found) > 0).all()


def test_a_river_is_what_was_counted() -> None:
    adata = unfold("T>0:3;T>1:1;B: x>1:2")
    assert adata.n_obs == 6
    counted = Counter(zip(*(adata.obs[column] for column in adata.obs), strict=True))
    assert counted == {("T", "0"): 3, ("B: x", "1"): 2, ("T", "1"): 1}
