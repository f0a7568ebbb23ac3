"""Simulated cells: their truth is in them, the seed decides everything, and files hold what memory would."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

import scclr_ext as clr
from scclr_ext.datasets import _assemble

if TYPE_CHECKING:
    from pathlib import Path

simulate = clr.datasets.simulate_cells


def same(first: ad.AnnData, second: ad.AnnData) -> None:
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(first.X, part), getattr(second.X, part))
    assert first.obs.equals(second.obs)
    assert first.var.equals(second.var)
    assert first.uns["simulation"].keys() == second.uns["simulation"].keys()


def expected(adata: ad.AnnData) -> np.ndarray:
    """Expected counts of each cell, from the truth that the data set carries."""
    mean = np.tile(adata.var["gene_mean"].to_numpy(), (adata.n_obs, 1))
    for key, prefix in (("group", "de_factor"), ("batch", "batch_factor")):
        mean *= adata.var[[f"{prefix}_{name}" for name in adata.obs[key]]].to_numpy().T
    return mean / mean.sum(1, keepdims=True) * adata.obs["expected_library_size"].to_numpy()[:, None]


def test_what_comes_back() -> None:
    adata = simulate(200, 100, n_groups=3, n_batches=2)
    assert isinstance(adata.X, sparse.csr_matrix)
    assert (adata.X.dtype, adata.X.has_canonical_format) == (np.float32, True)
    assert (adata.X.data >= 1).all()
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert list(adata.obs["group"].cat.categories) == ["group0", "group1", "group2"]
    assert adata.obs["batch"].tolist() == ["batch0"] * 100 + ["batch1"] * 100
    record = adata.uns["simulation"]
    assert (record["de_prob"], record["n_nonzero"], record["n_dropped"]) == (0.1, adata.X.nnz, 0)


def test_counts_follow_the_truth_they_carry() -> None:
    adata = simulate(3000, 60, n_groups=3, n_batches=2, de_prob=0.5, batch_facscale=0.4, lib_loc=7, bcv_common=0.05)
    mean = expected(adata)
    for group in adata.obs["group"].cat.categories:
        for batch in adata.obs["batch"].cat.categories:
            rows = ((adata.obs["group"] == group) & (adata.obs["batch"] == batch)).to_numpy()
            counts, true = adata.X[rows].toarray(), mean[rows]
            error = np.sqrt((true + (0.05 * true + np.sqrt(true)) ** 2 * 1.6).sum(0)) / rows.sum()
            z = (counts.mean(0) - true.mean(0)) / error
            assert np.abs(z).max() < 4.5
            assert np.std(z) < 1.3


def test_library_sizes_are_lognormal_and_met() -> None:
    adata = simulate(2000, 300, lib_loc=8.0, lib_scale=0.5, bcv_common=0.0)
    size = adata.obs["expected_library_size"]
    assert stats.kstest(np.log(size), stats.norm(8.0, 0.5).cdf).pvalue > 0.01
    total = np.asarray(adata.X.sum(1)).ravel()
    assert (total / size).mean() == pytest.approx(1, abs=0.01)


def test_groups_have_their_shares_and_factors() -> None:
    adata = simulate(6000, 4000, n_groups=2, group_prob=[0.2, 0.8], de_prob=[0.0, 0.4], lib_loc=2)
    assert stats.binomtest(int((adata.obs["group"] == "group0").sum()), 6000, 0.2).pvalue > 0.01
    assert (adata.var["de_factor_group0"] == 1).all()
    assert stats.binomtest(int((adata.var["de_factor_group1"] != 1).sum()), 4000, 0.4).pvalue > 0.01


def test_one_group_or_batch_has_no_factors() -> None:
    adata = simulate(50, 40, de_prob=1.0)
    assert (adata.var["de_factor_group0"] == 1).all()
    assert (adata.var["batch_factor_batch0"] == 1).all()


def test_batches_of_given_size() -> None:
    adata = simulate(60, 40, batch_cells=[10, 30, 20])
    assert adata.obs["batch"].value_counts(sort=False).tolist() == [10, 30, 20]
    assert not (adata.var["batch_factor_batch2"] == 1).any()


def test_more_dropout_loses_more() -> None:
    lost = []
    for mid in (None, -1, 0, 1, 1.5):  # the values of the contrastive-sc paper
        record = simulate(300, 500, n_groups=4, dropout_mid=mid).uns["simulation"]
        lost.append(record["n_dropped"] / (record["n_dropped"] + record["n_nonzero"]))
    assert lost[0] == 0
    assert (np.diff(lost) > 0.02).all()


@pytest.mark.parametrize("by", ["batch", "group"])
def test_dropout_of_one_batch_or_group(by: str) -> None:
    adata = simulate(400, 300, n_groups=2, n_batches=2, dropout_mid=[-40, 40], dropout_by=by)
    total = np.asarray(adata.X.sum(1)).ravel()
    last = (adata.obs[by] == f"{by}1").to_numpy()
    assert (total[last] == 0).all()
    assert (total[~last] > 0).all()


def test_paths_fork() -> None:
    adata = simulate(3000, 800, path_from=[-1, 0, 0], de_prob=0.5, de_facscale=0.8, lib_loc=11, path_n_steps=20)
    assert adata.obs["step"].between(0, 19).all()
    assert stats.chisquare(np.bincount(adata.obs["step"], minlength=20)).pvalue > 0.01
    profile = {}
    for path in range(3):
        for step in (0, 19):
            chosen = ((adata.obs["group"] == f"group{path}") & (adata.obs["step"] == step)).to_numpy()
            total = adata.X[chosen].sum(0)
            profile[path, step] = np.log1p(np.asarray(total / total.sum() * 1e4).ravel())

    def distance(a: tuple[int, int], b: tuple[int, int]) -> float:
        return float(np.abs(profile[a] - profile[b]).mean())

    near = [distance((0, 19), (1, 0)), distance((0, 19), (2, 0)), distance((1, 0), (2, 0))]
    far = [distance((0, 0), (0, 19)), distance((1, 0), (1, 19)), distance((1, 19), (2, 19))]
    assert max(near) < 0.5 * min(far)


def test_skewed_paths() -> None:
    steps = simulate(2000, 5, path_from=[-1], path_skew=0.9).obs["step"]
    assert steps.mean() < 45


def test_the_seed_decides() -> None:
    options: dict[str, Any] = {"n_groups": 3, "n_batches": 2, "dropout_mid": 0.5, "lib_loc": 7}
    first = simulate(150, 80, **options, random_state=3)
    same(first, simulate(150, 80, **options, random_state=3))
    other = simulate(150, 80, **options, random_state=4)
    assert not other.var.equals(first.var)
    assert (first.X != other.X).nnz > 0


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    simulate(20, 10)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(("chunk_size", "n_jobs"), [(1, 1), (50, 1), (1000, 3), (64, 2)])
def test_neither_chunks_nor_threads_change_anything(chunk_size: int, n_jobs: int) -> None:
    options: dict[str, Any] = {"n_groups": 3, "n_batches": 2, "dropout_mid": 0.5, "lib_loc": 7}
    same(simulate(331, 80, **options), simulate(331, 80, **options, chunk_size=chunk_size, n_jobs=n_jobs))


def test_more_cells_leave_the_first_as_they_were() -> None:
    few, more = simulate(96, 50, n_groups=3), simulate(200, 50, n_groups=3)
    assert few.var.equals(more.var)
    assert few.obs.equals(more.obs.iloc[:96])
    assert (few.X != more.X[:96]).nnz == 0


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_file_holds_the_same(tmp_path: Path, n_jobs: int, compression: Any) -> None:
    options: dict[str, Any] = {"n_groups": 3, "n_batches": 2, "dropout_mid": 0.5, "lib_loc": 7}
    path = tmp_path / "cells.h5ad"
    backed = simulate(
        331, 80, **options, path=path, compression=compression, chunk_size=64, n_jobs=n_jobs, progress=False
    )
    assert backed.isbacked
    backed.file.close()
    written = ad.read_h5ad(path)
    same(simulate(331, 80, **options), written)
    assert written.uns["simulation"]["model"] == "splat"
    assert [p.name for p in tmp_path.iterdir()] == ["cells.h5ad"]
    with h5py.File(path) as file:
        assert file["X/data"].compression == compression


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cells.h5ad"
    path.write_text("precious")
    draw = _assemble.draw_chunks

    def broken(*args: Any, **options: Any) -> Any:
        for i, chunk in enumerate(draw(*args, **options)):
            if i == 2:
                raise KeyboardInterrupt
            yield chunk

    monkeypatch.setattr(_assemble, "draw_chunks", broken)
    with pytest.raises(KeyboardInterrupt):
        simulate(300, 20, path=path, chunk_size=32, progress=False)
    assert path.read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["cells.h5ad"]


def test_a_file_needs_memory_for_a_few_chunks_only(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        backed = simulate(6000, 400, lib_loc=8, path=tmp_path / "cells.h5ad", chunk_size=128, progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = backed.uns["simulation"]["n_nonzero"] * 8
    backed.file.close()
    assert peak < 0.5 * size


def test_groups_can_be_found() -> None:
    import scanpy as sc
    from sklearn.cluster import KMeans

    adata = simulate(400, 500, n_groups=3, de_prob=0.3, de_facscale=0.8, lib_loc=8)
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=5)
    found = KMeans(3, n_init=5, random_state=0).fit_predict(adata.obsm["X_pca"])
    assert clr.metrics.adjusted_rand_index(adata.obs["group"], found) > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_cells": 0}, "n_cells"),
        ({"n_cells": 10.0}, "n_cells"),
        ({"n_genes": 0}, "n_genes"),
        ({"n_groups": 0}, "n_groups"),
        ({"n_groups": 2, "group_prob": [0.5, 0.4]}, "group_prob"),
        ({"n_groups": 2, "group_prob": [0.5, 0.25, 0.25]}, "group_prob"),
        ({"n_groups": 2, "group_prob": [-0.5, 1.5]}, "group_prob"),
        ({"n_batches": 11}, "n_batches"),
        ({"batch_cells": [5, 4]}, "batch_cells"),
        ({"batch_cells": [5, 5], "n_batches": 3}, "batch_cells"),
        ({"batch_cells": [0, 10]}, "batch_cells"),
        ({"mean_shape": 0.0}, "mean_shape"),
        ({"bcv_df": 0}, "bcv_df"),
        ({"bcv_common": -0.1}, "bcv_common"),
        ({"lib_scale": -1}, "lib_scale"),
        ({"out_prob": 1.1}, "out_prob"),
        ({"de_prob": 2.0}, "de_prob"),
        ({"de_prob": [0.1, 0.1, 0.1], "n_groups": 2}, "de_prob"),
        ({"de_facscale": -1.0}, "de_facscale"),
        ({"dropout_mid": [0.0, 1.0]}, "dropout_mid"),
        ({"dropout_mid": 0.0, "dropout_by": "cell"}, "dropout_by"),
        ({"path_from": [0]}, "path_from"),
        ({"path_from": []}, "path_from"),
        ({"path_from": [-1, 0], "n_groups": 3}, "path_from"),
        ({"path_skew": 2.0}, "path_skew"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"lib_loc": float("nan")}, "lib_loc"),
        ({"lib_loc": 200}, "lib_loc"),
        ({"out_facloc": float("nan")}, "out_facloc"),
        ({"batch_facloc": float("inf")}, "batch_facloc"),
        ({"bcv_common": float("inf")}, "bcv_common"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_bad_parameters_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"`{message}"):
        simulate(**{"n_cells": 10, "n_genes": 5} | options)


@settings(max_examples=25, deadline=None)
@given(
    n_cells=st.integers(1, 70),
    n_genes=st.integers(1, 20),
    n_groups=st.integers(1, 4),
    lib_loc=st.floats(-3, 9),
    mid=st.none() | st.floats(-3, 3),
    df=st.floats(1, 100) | st.just(float("inf")),
    random_state=st.integers(0, 2**32 - 1),
)
def test_always_whole_counts(
    n_cells: int, n_genes: int, n_groups: int, lib_loc: float, mid: float | None, df: float, random_state: int
) -> None:
    adata = simulate(
        n_cells, n_genes, n_groups=n_groups, lib_loc=lib_loc, dropout_mid=mid, bcv_df=df, random_state=random_state
    )
    assert adata.shape == (n_cells, n_genes)
    assert np.isfinite(adata.X.data).all()
    assert (adata.X.data >= 1).all()
    adata.X.check_format(full_check=True)


def test_a_folder_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="`path`.*no folder"):
        clr.datasets.simulate_cells(5, 5, path=tmp_path / "none" / "cells.h5ad")
