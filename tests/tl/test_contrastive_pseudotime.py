"""Known orders are found where single graphs lose them; nothing else in the AnnData changes."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData
from scipy.stats import spearmanr

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze_adata, unchanged
from joined import joined


def embryo(sizes=(4, 8, 12, 10, 14, 37, 50, 43, 60, 30), *, seed: int = 0) -> AnnData:
    """Stages of very different size in 40 dimensions: far apart at first, closer later; some cells are odd."""
    rng = np.random.default_rng(seed)
    centre, direction = np.zeros(40), rng.normal(size=40)
    parts = []
    for size, jump in zip(sizes, [0.0, *np.linspace(9, 3, len(sizes) - 1)], strict=True):
        direction = 0.5 * direction / np.linalg.norm(direction) + rng.normal(size=40) / np.sqrt(40)
        centre = centre + jump * direction / np.linalg.norm(direction)
        odd = 0.5 * np.exp(0.3 * rng.normal(size=(size, 1)))
        parts.append(centre + odd * rng.normal(size=(size, 40)))
    rep = np.concatenate(parts).astype(np.float32)
    order = rng.permutation(len(rep))
    stage = np.repeat(np.arange(len(sizes)), sizes)[order]
    obs = pd.DataFrame({"order": stage, "stage": pd.Categorical(stage.astype(str))})
    obs.index = [f"cell{i}" for i in range(len(rep))]
    return AnnData(np.zeros((len(rep), 1), dtype=np.float32), obs=obs, obsm={"X_clr": rep[order]})


def curve(n: int = 200, noise: float = 0.02, seed: int = 0) -> AnnData:
    rng = np.random.default_rng(seed)
    time = rng.random(n)
    rep = np.column_stack([np.cos(4 * time), np.sin(4 * time), time]) + noise * rng.normal(size=(n, 3))
    obs = pd.DataFrame({"time": time}, index=[f"cell{i}" for i in range(n)])
    return AnnData(np.zeros((n, 1), dtype=np.float32), obs=obs, obsm={"X_clr": rep})


def run(adata: AnnData, root="0", **options) -> pd.Series:
    options = {"groupby": "stage", "progress": False} | options
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The neighbour graph is in")
        clr.tl.contrastive_pseudotime(adata, root, **options)
    return adata.obs[options.get("key_added", "clr_pseudotime")]


def rho(adata: AnnData, key: str = "clr_pseudotime", truth: str = "order") -> float:
    return spearmanr(adata.obs[key], adata.obs[truth])[0]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("sizes", [(4, 8, 12, 10, 14, 37, 50, 43, 60, 30), (6, 6, 12, 20, 16, 30)])
def test_stages_come_in_order(sizes, seed) -> None:
    adata = embryo(sizes, seed=seed)
    time = run(adata)
    assert np.isfinite(time).all()
    assert rho(adata) > 0.95
    medians = time.groupby(adata.obs["order"]).median()
    assert medians.is_monotonic_increasing
    assert adata.uns["clr_pseudotime"]["agreement"] > 0.8


def test_scanpy_alone_loses_what_is_found_here() -> None:
    """The reason for this function: the same cells, scanpy's graph at its default."""
    adata = embryo(seed=0)
    run(adata)
    sc.pp.neighbors(adata, use_rep="X_clr")
    adata.uns["iroot"] = int(np.flatnonzero(adata.obs["order"] == 0)[0])
    sc.tl.diffmap(adata)
    sc.tl.dpt(adata)
    alone = np.nan_to_num(adata.obs["dpt_pseudotime"], posinf=2)
    assert spearmanr(alone, adata.obs["order"])[0] < 0.8 < 0.95 < rho(adata)


def test_steady_over_neighbours() -> None:
    adata = embryo((6, 6, 12, 20, 16, 30))
    for n_neighbors in (8, 12, 20, 30):
        run(adata, n_neighbors=n_neighbors)
        assert rho(adata) > 0.94


def test_a_curve_and_a_fork() -> None:
    adata = curve()
    run(adata, root=int(adata.obs["time"].argmin()), groupby=None)
    assert rho(adata, truth="time") > 0.99
    rng = np.random.default_rng(0)
    time = np.concatenate([rng.random(150), 1 + rng.random(75), 1 + rng.random(75)])
    side = np.repeat([0.0, 1.0, -1.0], [150, 75, 75])
    rep = np.column_stack([time * 5, side * np.maximum(time - 1, 0) * 5]) + 0.15 * rng.normal(size=(300, 2))
    fork = AnnData(obs=pd.DataFrame({"time": time}, index=map(str, range(300))), obsm={"X_clr": rep})
    run(fork, root=str(time.argmin()), groupby=None)
    assert rho(fork, truth="time") > 0.98


def test_noise_without_an_order_is_called_doubtful() -> None:
    rng = np.random.default_rng(0)
    adata = AnnData(np.zeros((120, 1), dtype=np.float32), obsm={"X_clr": rng.normal(size=(120, 60))})
    with pytest.warns(UserWarning, match=r"hardly agree on an order \(mean Spearman correlation 0\.\d\d\).*'X_clr'"):
        clr.tl.contrastive_pseudotime(adata, 0, progress=False)
    assert adata.uns["clr_pseudotime"]["agreement"] < 0.5


def test_spread_is_where_the_order_is_unsure() -> None:
    rng = np.random.default_rng(0)
    rep = np.column_stack([np.sort(rng.random(150)) * 20, rng.normal(scale=0.2, size=150)])
    rep = np.concatenate([rep, rng.normal(scale=3.0, size=(40, 2)) + [23, 0]])
    adata = AnnData(np.zeros((190, 1), dtype=np.float32), obsm={"X_clr": rep})
    run(adata, root=0, groupby=None)
    spread = adata.obs["clr_pseudotime_spread"].to_numpy()
    assert (spread >= 0).all()
    assert (spread <= 1).all()
    assert spread[150:].mean() > spread[:150].mean()


def test_what_is_written_and_nothing_else() -> None:
    adata = embryo((5, 10, 20))
    sc.pp.neighbors(adata, use_rep="X_clr")
    adata.uns["iroot"], adata.obs["dpt_pseudotime"] = 3, 0.5
    with unchanged(adata):
        copied = clr.tl.contrastive_pseudotime(adata, "0", groupby="stage", progress=False, copy=True)
    assert copied is not None
    time = copied.obs["clr_pseudotime"]
    root = copied.uns["clr_pseudotime"]["params"]["root"]
    assert copied.obs.loc[root, "stage"] == "0"
    assert time[root] == 0
    assert time.max() == 1
    for key in ("clr_pseudotime", "clr_pseudotime_spread"):
        del copied.obs[key]
    del copied.uns["clr_pseudotime"]
    left, before = (freeze_adata(a) for a in (copied, adata))
    assert left == before
    assert run(adata).tolist() == time.tolist()


def test_seed_order_of_cells_scale_and_view() -> None:
    adata = embryo((5, 10, 20, 30))
    time = run(adata)
    again = embryo((5, 10, 20, 30))
    assert run(again).tolist() == time.tolist()
    scaled = embryo((5, 10, 20, 30))
    scaled.obsm["X_clr"] = scaled.obsm["X_clr"] * 100 + 7
    np.testing.assert_allclose(run(scaled), time, atol=0.02)
    shuffled = embryo((5, 10, 20, 30))[np.random.default_rng(0).permutation(65)]
    assert shuffled.is_view
    np.testing.assert_allclose(run(shuffled)[time.index], time, atol=0.02)


def test_root_by_name_number_and_group() -> None:
    adata = embryo((5, 10, 20))
    by_group = run(adata).copy()
    root = adata.uns["clr_pseudotime"]["params"]["root"]
    own = np.flatnonzero(adata.obs["stage"] == "0")
    rep = adata.obsm["X_clr"]
    sums = [np.linalg.norm(rep[own] - rep[i], axis=1).sum() for i in own]
    assert root == adata.obs_names[own[int(np.argmin(sums))]]
    assert run(adata, root=root, groupby=None).tolist() == by_group.tolist()
    assert run(adata, root=adata.obs_names.get_loc(root), groupby=None).tolist() == by_group.tolist()
    assert run(adata, root=0, groupby="order").tolist() == by_group.tolist()


def test_pieces_each_in_order() -> None:
    first, second = curve(150), curve(90, seed=1)
    rep = np.concatenate([first.obsm["X_clr"], second.obsm["X_clr"] + [50, 0, 0]])
    time = np.concatenate([first.obs["time"], second.obs["time"]])
    obs = pd.DataFrame({"time": time}, index=[f"cell{i}" for i in range(240)])
    adata = AnnData(np.zeros((240, 1), dtype=np.float32), obs=obs, obsm={"X_clr": rep})
    root = 150 + int(second.obs["time"].argmin())
    with pytest.warns(UserWarning, match="in 2 pieces, which were joined"):
        clr.tl.contrastive_pseudotime(adata, root, progress=False)
    assert np.isfinite(adata.obs["clr_pseudotime"]).all()
    assert adata.obs["clr_pseudotime"][:150].min() > adata.obs["clr_pseudotime"][150:].median()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clr.tl.contrastive_pseudotime(adata, root, join=False, key_added="apart", progress=False)
    assert adata.obs["apart_piece"].tolist() == ["1"] * 150 + ["0"] * 90  # the root's own piece comes first
    assert adata.uns["apart"]["n_pieces"] == 2
    assert spearmanr(adata.obs["apart"][150:], time[150:])[0] > 0.99
    assert abs(spearmanr(adata.obs["apart"][:150], time[:150])[0]) > 0.9
    assert adata.obs["apart"][:150].min() == adata.obs["apart"][150:].min() == 0


def test_the_graph_is_there_for_scanpy() -> None:
    adata = embryo((6, 6, 12, 20, 16, 30))
    run(adata, keep_graph=True, key_added="time")
    record = adata.uns["time"]
    assert {"time_connectivities", "time_distances"} == set(adata.obsp)
    assert (adata.obsp["time_connectivities"] != adata.obsp["time_connectivities"].T).nnz == 0
    lengths = adata.obsp["time_distances"].tocoo()
    rep = adata.obsm["X_clr"]
    np.testing.assert_allclose(lengths.data, np.linalg.norm(rep[lengths.row] - rep[lengths.col], axis=1), rtol=1e-5)
    assert record["connectivities_key"] == "time_connectivities"
    sc.tl.paga(adata, groups="stage", neighbors_key="time")
    assert adata.uns["paga"]["connectivities"].shape == (6, 6)
    adata.uns["iroot"] = 0
    sc.tl.diffmap(adata, neighbors_key="time")
    sc.tl.dpt(adata, neighbors_key="time")
    assert np.isfinite(adata.obs["dpt_pseudotime"]).all()


def test_what_an_earlier_call_left_and_this_one_does_not_is_gone() -> None:
    adata = embryo((5, 10, 20))
    adata.obs["clr_pseudotime_other"] = adata.obs["mine_piece"] = 1.0
    run(adata, join=False, keep_graph=True)
    assert "clr_pseudotime_piece" in adata.obs
    assert len(adata.obsp) == 2
    run(adata)
    assert "clr_pseudotime_piece" not in adata.obs
    assert not adata.obsp
    assert {"clr_pseudotime_other", "mine_piece"} <= set(adata.obs)


def test_a_file_in_between(tmp_path) -> None:
    adata = embryo((5, 10, 20))
    run(adata, keep_graph=True)
    run(adata, join=False, key_added="apart")
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = ad.read_h5ad(tmp_path / "cells.h5ad")
    for key in ("clr_pseudotime", "apart"):
        assert_reads_back(read.uns[key], adata.uns[key])
        np.testing.assert_array_equal(read.obs[key], adata.obs[key])
    table = clr.get.pseudotime_order(read, "stage")
    assert table["pseudotime"].tolist() == adata.obs["clr_pseudotime"].tolist()


def test_pieces_of_too_few_cells_have_no_order() -> None:
    rep = np.concatenate([np.arange(3), 100 + np.arange(3)]).astype(float)[:, None]
    adata = AnnData(obs=pd.DataFrame(index=[f"c{i}" for i in range(6)]), obsm={"X_clr": rep})
    with pytest.warns(UserWarning, match="fewer than 5 cells, which have no order"):
        clr.tl.contrastive_pseudotime(adata, 0, n_neighbors=2, join=False, progress=False)
    assert adata.obs["clr_pseudotime"].isna().all()
    assert np.isnan(adata.uns["clr_pseudotime"]["agreement"])


def test_a_root_group_that_is_a_number() -> None:
    adata = curve()
    adata.obs["day"] = (4 * adata.obs["time"]).round()
    assert run(adata, root=0, groupby="day").equals(run(adata, root="0.0", groupby="day"))


@pytest.mark.parametrize("n", [5, 9, 16])
def test_a_handful_of_cells(n) -> None:
    rep = np.column_stack([np.arange(n), np.zeros(n)]) + 0.01 * np.random.default_rng(0).random((n, 2))
    adata = AnnData(np.zeros((n, 1), dtype=np.float32), obsm={"X_clr": rep})
    run(adata, root=0, groupby=None)
    assert adata.obs["clr_pseudotime"].iloc[0] == 0
    assert spearmanr(adata.obs["clr_pseudotime"], np.arange(n))[0] > 0.85


def test_cells_that_coincide() -> None:
    adata = curve(60)
    adata.obsm["X_clr"] = np.repeat(adata.obsm["X_clr"][:12], 5, axis=0)
    adata.obs["time"] = np.repeat(adata.obs["time"].to_numpy()[:12], 5)
    run(adata, root=int(adata.obs["time"].argmin()), groupby=None, keep_graph=True)
    assert np.isfinite(adata.obs["clr_pseudotime"]).all()
    assert rho(adata, truth="time") > 0.9
    same = AnnData(np.zeros((20, 1), dtype=np.float32), obsm={"X_clr": np.ones((20, 3))})
    with pytest.warns(UserWarning, match="hardly agree"):
        run(same, root=0, groupby=None)
    assert np.isfinite(same.obs["clr_pseudotime"]).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"root": "none"}, KeyError, "`root='none'` is not one of adata.obs_names.*`groupby`"),
        ({"root": 35}, KeyError, r"`root=35` is neither the name nor the number \(0 to 34\)"),
        ({"root": -1}, KeyError, "`root=-1`"),
        ({"root": True}, KeyError, "`root=True`"),
        ({"root": "0", "groupby": "day"}, KeyError, "`groupby='day'` is not a column.*'order', 'stage'"),
        ({"root": "9", "groupby": "stage"}, KeyError, r"`root='9'` is no value of adata\.obs\['stage'\]; found"),
        ({"root": 0, "use_rep": "X_pca"}, KeyError, "`use_rep='X_pca'`"),
        ({"root": 0, "n_neighbors": 1}, ValueError, "`n_neighbors` must be a whole number of at least 2; found 1"),
        ({"root": 0, "n_neighbors": 2.5}, ValueError, r"`n_neighbors` must be a whole number.*found 2\.5"),
        ({"root": 0, "n_neighbors": "9"}, ValueError, "`n_neighbors` must be a whole number.*found '9'"),
        ({"root": 0, "random_state": -1}, ValueError, "`random_state`"),
        ({"root": 0, "key_added": "a/b"}, ValueError, "`key_added`"),
    ],
)
def test_bad_input_changes_nothing(options, error, message) -> None:
    adata = embryo((5, 10, 20))
    with unchanged(adata), pytest.raises(error, match=message):
        clr.tl.contrastive_pseudotime(adata, options.pop("root"), progress=False, **options)


def test_too_few_cells() -> None:
    adata = AnnData(np.zeros((4, 1), dtype=np.float32), obsm={"X_clr": np.eye(4)})
    with pytest.raises(ValueError, match="An order needs at least 5 cells; adata has 4"):
        clr.tl.contrastive_pseudotime(adata, 0, progress=False)


@pytest.mark.parametrize(("name", "goal"), [("yan", 0.95), ("deng", 0.90)])
def test_real_embryos(load_shared, name, goal) -> None:
    """PCA through this function, over neighbours; seeds of the contrastive methods are in docs/pseudotime.md."""
    adata = load_shared(name)
    clr.pp.contrastive_preprocess(adata, "scclr")
    part = adata[:, adata.var["highly_variable"]].copy()
    sc.pp.scale(part, max_value=10, zero_center=False)
    part.X = part.X.toarray() - part.X.toarray().mean(axis=0)
    sc.pp.pca(part, n_comps=50)
    for n_neighbors in (10, 15, 25):
        run(part, root=0, groupby="stage_order", use_rep="X_pca", n_neighbors=n_neighbors)
        assert rho(part, truth="stage_order") > goal


@pytest.mark.filterwarnings("ignore:The graphs hardly agree")
@pytest.mark.parametrize(
    ("how", "message"),
    [("same", "left of .*were joined"), ("unique", "left of .*were joined"), ("first", "trained on 80")],
)
def test_samples_that_were_embedded_apart_and_joined(counts, how, message) -> None:
    both = joined(counts, how)
    with pytest.warns(UserWarning, match=message):
        run(both, root=0, groupby=None)
    run(both[:80].copy() if how == "first" else ad.concat([both]), root=0, groupby=None)  # warnings are errors
