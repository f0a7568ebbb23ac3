"""Repeated runs: what is compared, what is repeated, and nothing changed on failure."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, normalized_mutual_info_score
from sklearn.neighbors import NearestNeighbors

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze, freeze_adata, unchanged
from joined import joined
from scclr_ext import _keys
from scclr_ext.tl import _stability, contrastive_cluster, contrastive_embed, stability

# A training of a few steps has learned nothing, as the call rightly says.
pytestmark = pytest.mark.filterwarnings("ignore:Do not trust:UserWarning")

QUICK = {"device": "cpu", "progress": False}
METHOD = "contrastive-sc"


def repeat(adata: ad.AnnData, method=METHOD, **options) -> ad.AnnData | None:
    usual = {"n_seeds": 3, "n_clusters": 4, "cluster_method": "kmeans", **QUICK}
    if method is not None and "n_epochs" not in options:
        usual["n_steps"] = 3
    return stability(adata, method, **usual | options)


@pytest.fixture(scope="module")
def _logged() -> ad.AnnData:
    rng = np.random.default_rng(0)
    group = np.arange(60) % 3
    rates = np.where(np.arange(40) // 14 == group[:, None], 4.0, 0.7)
    obs = pd.DataFrame(
        {"run": np.repeat(["a", "b"], 30), "type": group.astype(str)}, index=[f"c{i}" for i in range(60)]
    )
    values = sparse.csr_matrix(np.log1p(rng.poisson(rates)).astype(np.float32) * 0.9)
    return ad.AnnData(values, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(40)]))


@pytest.fixture
def logged(_logged) -> ad.AnnData:
    """60 cells of three types, 40 genes, log-normalised, sparse."""
    return _logged.copy()


@pytest.fixture(scope="module")
def _repeated(_logged) -> ad.AnnData:
    return repeat(_logged, labels="type", copy=True)


def test_only_its_keys_are_written(logged, _repeated) -> None:
    made = _repeated.copy()
    assert list(made.uns) == ["clr_stability"]
    assert list(made.obs) == ["run", "type", "clr_consensus", "clr_consensus_confidence"]
    del made.uns["clr_stability"], made.obs["clr_consensus"], made.obs["clr_consensus_confidence"]
    assert freeze_adata(made) == freeze_adata(logged)


def test_consensus_and_confidence(_repeated) -> None:
    labels, confidence = _repeated.obs["clr_consensus"], _repeated.obs["clr_consensus_confidence"]
    assert list(labels.cat.categories) == [str(i) for i in range(labels.nunique())]
    assert labels.value_counts().loc[list(labels.cat.categories)].is_monotonic_decreasing
    assert confidence.dtype == np.float64
    assert confidence.between(0, 1).all()


def test_every_run_is_what_embed_and_cluster_give(logged, _repeated) -> None:
    record = _repeated.uns["clr_stability"]
    labels, neighbors = [], []
    for row, seed in enumerate(record["runs"]["seed"]):
        alone = logged.copy()
        contrastive_embed(alone, METHOD, n_steps=3, random_state=int(seed), **QUICK)
        contrastive_cluster(alone, method="kmeans", n_clusters=4, random_state=int(seed))
        rep, found = alone.obsm["X_clr"], alone.obs["clr_clusters"].astype(int).to_numpy()
        labels.append(found)
        search = NearestNeighbors(n_neighbors=14).fit(rep.astype(np.float64))
        neighbors.append([set(near) for near in search.kneighbors(return_distance=False)])
        runs = {name: column[row] for name, column in record["runs"].items()}
        assert runs["n_clusters"] == 4
        assert runs["final_loss"] == alone.uns["clr"]["history"]["loss"][-1]
        assert runs["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(rep, found), rel=1e-4)
        assert runs["silhouette"] == pytest.approx(clr.metrics.silhouette(rep, found), rel=1e-3)
        assert runs["ari"] == pytest.approx(adjusted_rand_score(logged.obs["type"], found))
        assert runs["nmi"] == pytest.approx(normalized_mutual_info_score(logged.obs["type"], found))
    for i in range(3):
        for j in range(3):
            assert record["ari"][i, j] == pytest.approx(adjusted_rand_score(labels[i], labels[j]))
            share = np.mean([len(a & b) / 14 for a, b in zip(neighbors[i], neighbors[j], strict=True)])
            assert record["neighbor_overlap"][i, j] == pytest.approx(share, abs=0.005)  # ties
    off = ~np.eye(3, dtype=bool)
    for name, square in (("mean_ari", "ari"), ("neighbor_overlap", "neighbor_overlap")):
        means = np.where(off, record[square], 0).sum(axis=1) / 2
        np.testing.assert_allclose(record["runs"][name], means)


def test_clusters_table(_repeated) -> None:
    table = _repeated.uns["clr_stability"]["clusters"]
    grouped = _repeated.obs.groupby("clr_consensus", observed=True)["clr_consensus_confidence"]
    assert table["cluster"].tolist() == list(_repeated.obs["clr_consensus"].cat.categories)
    assert table["n_cells"].tolist() == grouped.size().tolist()
    np.testing.assert_allclose(table["confidence"], grouped.mean())
    # Cells of all clusters together share what all pairs of runs share on average.
    between = _repeated.uns["clr_stability"]["neighbor_overlap"][np.triu_indices(3, 1)].mean()
    assert table["neighbor_overlap"] @ table["n_cells"] / 60 == pytest.approx(between)


def test_same_seed_same_bits(logged, _repeated) -> None:
    repeat(logged, labels="type")
    ours, theirs = logged.uns["clr_stability"], _repeated.uns["clr_stability"]
    assert {**ours, "seconds": 0}.keys() == theirs.keys()
    assert freeze({**ours, "seconds": 0}) == freeze({**theirs, "seconds": 0})
    assert freeze(logged.obs) == freeze(_repeated.obs)
    repeat(logged, labels="type", random_state=9, key_added="other")
    assert freeze(logged.uns["other"]["ari"]) != freeze(ours["ari"])
    assert logged.uns["other"]["runs"]["seed"].tolist() == [9, 10, 11]


def test_the_last_seeds_wrap_around(logged) -> None:
    repeat(logged, n_seeds=2, random_state=2**32 - 1)
    assert logged.uns["clr_stability"]["runs"]["seed"].tolist() == [2**32 - 1, 0]


def test_key_added(logged) -> None:
    repeat(logged, n_seeds=2, key_added="foo")
    assert list(logged.uns) == ["foo"]
    assert {"foo_consensus", "foo_consensus_confidence"} <= set(logged.obs)
    assert logged.uns["foo"]["params"]["clusters_key"] == "foo_consensus"
    assert logged.uns["foo"]["params"]["confidence_key"] == "foo_consensus_confidence"


def test_its_confidence_is_not_that_of_a_mapping() -> None:
    stability_columns, mapping_columns = _keys.stability_keys(None), _keys.mapping_keys(None, _keys.EMBEDDING_OBSM)
    assert not set(stability_columns) & set(mapping_columns)
    assert not set(_keys.stability_keys("foo")[1:]) & set(_keys.mapping_keys("foo", "foo"))


def test_labels_play_no_part(logged, _repeated) -> None:
    logged.obs["type"] = np.where(np.arange(60) < 7, None, "one")
    repeat(logged, labels="type")
    assert freeze(logged.obs["clr_consensus"]) == freeze(_repeated.obs["clr_consensus"])
    assert "ari" in logged.uns["clr_stability"]["runs"]
    repeat(logged, n_seeds=2)
    assert "ari" not in logged.uns["clr_stability"]["runs"]


def test_true_types_are_found_again(logged) -> None:
    repeat(logged, "scclr", n_steps=60, n_clusters=3, cluster_method="leiden", labels="type")
    assert adjusted_rand_score(logged.obs["type"], logged.obs["clr_consensus"]) == 1
    assert logged.obs["clr_consensus_confidence"].min() > 0.9


def test_the_number_of_clusters_is_chosen_by_each_run(logged) -> None:
    repeat(logged, "scclr", n_seeds=2, n_steps=40, n_clusters=None, cluster_method="leiden", batch_key="run")
    assert logged.uns["clr_stability"]["runs"]["n_clusters"].tolist() == [3, 3]
    assert "n_clusters" not in logged.uns["clr_stability"]["params"]


@pytest.mark.parametrize("options", [{"resolution": 1.0, "n_clusters": None}, {"n_clusters": 2}])
def test_graph_clusterings(logged, options) -> None:
    repeat(logged, n_seeds=2, cluster_method="leiden", **options)
    contrastive_embed(logged, METHOD, n_steps=3, **QUICK)
    contrastive_cluster(logged, **options)
    n = logged.obs["clr_clusters"].nunique()
    assert logged.uns["clr_stability"]["runs"]["n_clusters"][0] == n
    assert logged.uns["clr_stability"]["params"].items() >= {k: v for k, v in options.items() if v}.items()


# Repeating what was done


def test_the_recorded_embedding_is_repeated(logged) -> None:
    logged.layers["odd"] = logged.X * 2
    logged.var["some"] = np.arange(40) % 2 == 0
    options = {"layer": "odd", "mask_var": "some", "batch_key": "run", "batch_size": 13, "learning_rate": 0.01}
    contrastive_embed(logged, METHOD, n_steps=3, key_added="mine", **options, **QUICK)
    by_record, by_hand = logged.copy(), logged.copy()
    del by_record.var["some"]  # the genes are known by name
    repeat(by_record, None, key="mine", n_seeds=2)
    repeat(by_hand, n_seeds=2, **options)
    ours, theirs = by_record.uns["clr_stability"], by_hand.uns["clr_stability"]
    for name in ("runs", "ari", "neighbor_overlap", "clusters"):
        assert freeze(ours[name]) == freeze(theirs[name])
    assert ours["params"].items() >= {"obsm_key": "mine", "layer": "odd", "batch_key": "run"}.items()


@pytest.mark.parametrize("store", ["h5ad", "zarr"])
def test_from_a_file_and_into_one(logged, tmp_path, store) -> None:
    contrastive_embed(logged, METHOD, n_steps=3, **QUICK)
    getattr(logged, f"write_{store}")(tmp_path / "in")
    read = getattr(ad, f"read_{store}")(tmp_path / "in")
    repeat(read, None, n_seeds=2)
    repeat(logged, None, n_seeds=2)
    assert freeze(read.uns["clr_stability"]["ari"]) == freeze(logged.uns["clr_stability"]["ari"])
    getattr(read, f"write_{store}")(tmp_path / "out")
    again = getattr(ad, f"read_{store}")(tmp_path / "out")
    assert_reads_back(again.uns["clr_stability"], read.uns["clr_stability"])
    assert freeze(clr.get.stability(again).runs) == freeze(clr.get.stability(read).runs)


@pytest.mark.parametrize(("device", "precision"), [("cpu", "bf16"), ("cuda:0", "auto")])
def test_the_precision_is_that_of_the_record(logged, monkeypatch, device, precision) -> None:
    """Of a record made on another kind of device it is left to this one, which may not have it."""
    contrastive_embed(logged, METHOD, n_steps=1, precision="bf16", **QUICK)
    logged.uns["clr"]["device"] = device
    inner, asked = _stability.run_once, []

    def remember(*args, **options):
        asked.append(options["precision"])
        return inner(*args, **options)

    monkeypatch.setattr(_stability, "run_once", remember)
    repeat(logged, None, n_seeds=2)
    assert asked == [precision, precision]


def test_a_record_can_be_run_shorter(logged) -> None:
    contrastive_embed(logged, METHOD, n_steps=3, **QUICK)
    repeat(logged, None, n_seeds=2, n_steps=1)
    assert logged.uns["clr_stability"]["params"]["preset"] == "custom"
    repeat(logged, n_seeds=2, n_steps=1, key_added="one")
    assert freeze(logged.uns["clr_stability"]["ari"]) == freeze(logged.uns["one"]["ari"])


def test_copy_and_view(logged) -> None:
    view = logged[:40, :30]
    with unchanged(logged):
        made = repeat(view, n_seeds=2, copy=True)
        assert view.is_view
        assert made.shape == (40, 30)
        repeat(view, n_seeds=2)
    assert not view.is_view
    assert freeze(view.obs) == freeze(made.obs)


# What is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_seeds": 1}, ValueError, "`n_seeds` must be a whole number of at least 2; found 1"),
        ({"n_seeds": 2.0}, ValueError, "`n_seeds`"),
        ({"n_seeds": True}, ValueError, "`n_seeds`"),
        ({"cluster_method": "magic"}, ValueError, "Unknown `cluster_method` 'magic'; choose one of 'leiden'"),
        ({"resolution": 1.0}, ValueError, "`resolution=1.0`"),
        ({"n_clusters": 61}, ValueError, "`n_clusters` must be a whole number between 1"),
        ({"n_neighbors": 1}, ValueError, "`n_neighbors`"),
        ({"labels": "nope"}, KeyError, "labels='nope'.*found 'run', 'type'"),
        ({"labels": "empty"}, ValueError, "'empty'.*`labels`.*no labels"),
        ({"batch_key": "nope"}, KeyError, "batch_key='nope'"),
        ({"method": None}, KeyError, r"adata\.uns has no 'clr'.*contrastive_embed.*`method`"),
        ({"method": None, "layer": "X"}, ValueError, "`layer` goes with a `method`"),
        ({"method": None, "mask_var": None}, ValueError, "`mask_var` goes with a `method`"),
        ({"method": "magic"}, ValueError, "Unknown `method` 'magic'"),
        ({"n_epochs": 1, "n_steps": 1}, ValueError, "`n_epochs` and `n_steps`"),
        ({"random_state": -1}, ValueError, "`random_state`"),
        ({"key_added": "a/b"}, ValueError, "`key_added`"),
        ({"device": "abacus"}, ValueError, "`device='abacus'`"),
    ],
)
def test_refused(logged, options, error, message) -> None:
    logged.obs["empty"] = np.nan
    method = options.pop("method", METHOD)
    with unchanged(logged), pytest.raises(error, match=message):
        repeat(logged, method, **options)


def test_what_a_record_lacks_is_said(logged) -> None:
    logged.uns["clr"] = {"params": {}}
    with unchanged(logged), pytest.raises(ValueError, match=r"uns\['clr'\] cannot be repeated.*`method`"):
        repeat(logged, None)
    contrastive_embed(logged, METHOD, n_steps=1, **QUICK)
    fewer = logged[:, 5:].copy()
    with unchanged(fewer), pytest.raises(KeyError, match="lacks 5 of the 40 genes.*'g0'.*embed the cells again"):
        repeat(fewer, None)


@pytest.mark.parametrize("method", [METHOD, None])
def test_scaled_values_are_refused(logged, method) -> None:
    contrastive_embed(logged, METHOD, n_steps=1, **QUICK)
    logged.X = logged.X.toarray() - 0.5
    with unchanged(logged), pytest.raises(ValueError, match=r"adata\.X has negative values"):
        repeat(logged, method)


def test_two_cells_are_too_few(logged) -> None:
    two = logged[:2].copy()
    with unchanged(two), pytest.raises(ValueError, match="A neighbour graph needs at least 3 cells; adata has 2"):
        repeat(two, n_clusters=2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("stage", ["run_once", "consensus", "stability_record", "writable"])
def test_interruption_changes_nothing(logged, monkeypatch, stage, error) -> None:
    inner, calls = getattr(_stability, stage), []

    def stop(*args, **options):
        calls.append(stage)
        if stage != "run_once" or len(calls) == 2:  # the first run has finished by then
            raise error
        return inner(*args, **options)

    monkeypatch.setattr(_stability, stage, stop)
    with unchanged(logged), pytest.raises(error):
        repeat(logged)
    assert calls


def test_a_collapse_is_reported_once(logged) -> None:
    logged.X = sparse.csr_matrix(np.tile([0.0, 1.5], (60, 20)).astype(np.float32))  # all cells alike
    with pytest.warns(UserWarning, match=r"Do not trust 2 of 2 embeddings \(seeds 0, 1\); .*collapsed") as caught:
        repeat(logged, n_seeds=2, n_clusters=1)
    assert [Path(w.filename).name for w in caught if "Do not trust" in str(w.message)] == [Path(__file__).name]


def test_progress(logged, capsys) -> None:
    repeat(logged, n_seeds=2)
    assert "Seeds" not in capsys.readouterr().err
    repeat(logged, n_seeds=2, progress=True)
    assert "Seeds" in capsys.readouterr().err


def test_a_mask_of_another_type_goes_with_a_method_too(logged) -> None:
    with unchanged(logged), pytest.raises(ValueError, match="`mask_var` goes with a `method`"):
        clr.tl.stability(logged, mask_var=pd.Series(data=True, index=logged.var_names))


def test_labels_of_every_cell_are_none(logged) -> None:
    logged.obs["name"] = logged.obs_names
    with unchanged(logged), pytest.raises(ValueError, match=r"'name'\] \(`labels`\) holds a value of its own for 60"):
        repeat(logged, labels="name")


def test_embeddings_that_were_joined_cannot_be_repeated(counts) -> None:
    both = joined(counts, "same")
    with (
        unchanged(both),
        pytest.raises(clr.io.ModelError, match=r"cannot be repeated.*what is left of .*which `method`"),
    ):
        stability(both, n_seeds=2, device="cpu", progress=False)
