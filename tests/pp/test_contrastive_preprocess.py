"""Preprocessing: the values by hand, the genes by scanpy, every kind of matrix, and nothing changed on failure."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from anndata_state import freeze, unchanged
from scclr_ext.engine.methods import METHODS
from scclr_ext.pp import contrastive_preprocess, select_n_top_genes
from scclr_ext.tl import contrastive_embed

STATISTICS = ["means", "dispersions", "dispersions_norm"]
SPARSE = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]


def dense(matrix) -> np.ndarray:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)


def log_normalized(values: np.ndarray, target_sum: float | None = 1e4) -> np.ndarray:
    """What X should become, in float64."""
    size = values.sum(axis=1, keepdims=True)
    target = np.median(size[size > 0]) if target_sum is None else target_sum
    return np.log1p(np.divide(values * target, size, out=np.zeros_like(values), where=size > 0))


def chosen(adata: ad.AnnData) -> set[str]:
    return set(adata.var_names[adata.var["highly_variable"]])


# The values


@pytest.mark.parametrize(("method", "target_sum"), [("clear", 1e4), ("contrastive-sc", None)])
def test_values_by_hand(counts, method, target_sum) -> None:
    raw = dense(counts.X)
    contrastive_preprocess(counts, method, n_top_genes=50)
    np.testing.assert_allclose(dense(counts.X), log_normalized(raw, target_sum), rtol=2e-6)
    assert isinstance(counts.X, sparse.csr_matrix)
    assert counts.X.dtype == np.float32
    np.testing.assert_array_equal(dense(counts.layers["counts"]), raw)


def test_values_are_those_of_scanpy(counts) -> None:
    expected = counts.copy()
    sc.pp.normalize_total(expected, target_sum=1e4)
    sc.pp.log1p(expected)
    contrastive_preprocess(counts, "clear")
    np.testing.assert_allclose(counts.X.data, expected.X.data, rtol=1e-6)


def test_the_median_is_that_of_cells_with_counts(counts) -> None:
    raw = dense(counts.X)
    raw[:150] = 0  # most cells are empty: with them the median would be 0
    adata = ad.AnnData(raw)
    contrastive_preprocess(adata, "contrastive-sc", n_top_genes=50)
    np.testing.assert_allclose(adata.X, log_normalized(raw, None), rtol=2e-6)
    assert not adata.X[:150].any()


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8), elements=st.integers(0, 9))
)
def test_any_counts_by_hand_or_refused(values) -> None:
    adata = ad.AnnData(sparse.csr_matrix(values.astype(np.float32)))
    try:
        contrastive_preprocess(adata, n_top_genes=3)
    except ValueError as error:
        assert "can be chosen" in str(error)
        return
    np.testing.assert_allclose(dense(adata.X), log_normalized(values.astype(float)), rtol=2e-6)
    assert not adata.var["highly_variable"][(values > 0).sum(axis=0) < 2].any()


# The genes


def scanpy_choice(adata: ad.AnnData, n: int, batch_key: str | None = None) -> pd.DataFrame:
    """Scanpy's own choice among the genes found in two cells, from the counts."""
    logged = adata.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    logged = logged[:, (dense(adata.X) > 0).sum(axis=0) >= 2].copy()
    sc.pp.highly_variable_genes(logged, n_top_genes=n, flavor="seurat", batch_key=batch_key)
    return logged.var


@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_genes_are_those_of_scanpy(counts, batch_key) -> None:
    values = dense(counts.X)
    values[:, :3] = 0
    values[5, 1] = 900.0  # in a single cell: the most dispersed gene of all, and of no use
    counts.X = sparse.csr_matrix(values.astype(np.float32))
    expected = scanpy_choice(counts, 40, batch_key)
    contrastive_preprocess(counts, n_top_genes=40, batch_key=batch_key)
    assert chosen(counts) == set(expected.index[expected["highly_variable"]])
    np.testing.assert_allclose(counts.var.loc[expected.index, STATISTICS], expected[STATISTICS], rtol=1e-4)
    assert counts.var.loc[["gene0", "gene1", "gene2"], STATISTICS].isna().all(axis=None)
    assert counts.var["highly_variable"].dtype == bool


def test_markers_are_chosen(counts) -> None:
    contrastive_preprocess(counts, n_top_genes=60)
    markers = {f"gene{i}" for i in range(90)}  # 30 for each of the three groups
    assert len(chosen(counts) & markers) > 40  # 18 by chance


def test_the_default_number_is_the_recipe_s() -> None:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(sparse.csr_matrix(rng.poisson(rng.gamma(1.0, size=2800), (20, 2800)).astype(np.float32)))
    for method, n in (("clear", 2000), ("contrastive-sc", 500)):
        made = contrastive_preprocess(adata, method, copy=True)
        assert made.var["highly_variable"].sum() == made.uns["clr_preprocess"]["n_top_genes"] == n


def test_stored_zeros_are_no_cells() -> None:
    values = np.random.default_rng(0).poisson(1.0, (12, 8)).astype(np.float32) + 1
    values[1:, 0] = 0
    stored = sparse.csr_matrix((values.ravel(), np.tile(np.arange(8), 12), np.arange(13) * 8), shape=values.shape)
    assert stored.nnz == values.size
    adata = ad.AnnData(stored)
    contrastive_preprocess(adata, n_top_genes=8)
    assert adata.var["highly_variable"].tolist() == [False] + [True] * 7


def test_constant_genes_are_not_chosen() -> None:
    varying = np.random.default_rng(0).poisson(3.0, (20, 4))
    total = varying.sum(axis=1).max()
    filler = (total - varying.sum(axis=1))[:, None]  # all cells of one size: constant counts stay constant
    adata = ad.AnnData(np.hstack([varying, filler, np.full((20, 6), 2)]).astype(np.float32))
    contrastive_preprocess(adata, n_top_genes=6)
    assert adata.var["highly_variable"].tolist() == [True] * 5 + [False] * 6


def test_more_genes_wanted_than_there_are(counts) -> None:
    found = (dense(counts.X) > 0).sum(axis=0) >= 2
    assert 0 < (~found).sum() < 30
    contrastive_preprocess(counts, n_top_genes=10_000)
    np.testing.assert_array_equal(counts.var["highly_variable"], found)
    assert counts.uns["clr_preprocess"]["n_top_genes"] == found.sum()


@pytest.mark.parametrize("as_column", [True, False])
def test_mask_genes(counts, as_column) -> None:
    allowed = np.arange(300) % 2 == 0
    counts.var["allowed"] = allowed
    free = contrastive_preprocess(counts, n_top_genes=40, copy=True)
    assert free.var["highly_variable"][~allowed].any()
    contrastive_preprocess(counts, n_top_genes=20, mask_genes="allowed" if as_column else allowed)
    picked = counts.var["highly_variable"].to_numpy()
    assert picked.sum() == 20
    assert not picked[~allowed].any()
    assert (dense(counts.X)[:, ~allowed] > 0).any()  # kept out of the choice, not out of the data


def test_a_mask_in_another_order_goes_by_the_names_of_genes(counts) -> None:
    allowed = pd.Series(np.arange(300) % 2 == 0, index=counts.var_names)
    shuffled = allowed.sample(frac=1, random_state=0)
    expected = contrastive_preprocess(counts, n_top_genes=20, mask_genes=allowed, copy=True)
    contrastive_preprocess(counts, n_top_genes=20, mask_genes=shuffled)
    assert counts.var["highly_variable"].equals(expected.var["highly_variable"])
    contrastive_embed(counts, n_steps=1, mask_var=shuffled, device="cpu", progress=False)
    assert list(counts.uns["clr"]["genes"]) == list(counts.var_names[allowed])


def test_samples_that_were_normalised_apart_are_told_of(counts) -> None:
    first, second = counts[::2].copy(), counts[1::2].copy()
    for part, size in ((first, 2_000), (second, 10_000)):
        sc.pp.normalize_total(part, target_sum=size)
        sc.pp.log1p(part)
    joined = ad.concat([first, second])
    with pytest.warns(UserWarning, match=r"brought to 2 library sizes \(2,000, 10,000\): samples"):
        contrastive_preprocess(joined)
    genes_left_out = joined[:, :200].copy()
    contrastive_preprocess(genes_left_out)  # where it cannot be told nothing is said: warnings are errors


@pytest.mark.parametrize(
    "sizes", [[199, 1], [198, 2], [100, 99, 1], [100, *[1] * 100], [2] * 100, [200]], ids=lambda s: f"{len(s)}x{min(s)}"
)
def test_batches_of_any_size(counts, sizes) -> None:
    counts.obs["run"] = np.repeat([f"run{i}" for i in range(len(sizes))], sizes)
    counts.X[: sizes[0]].data[:] = 1  # the batches differ
    contrastive_preprocess(counts, n_top_genes=30, batch_key="run")
    assert counts.var["highly_variable"].sum() == 30
    assert counts.uns["clr_preprocess"]["batch_key"] == "run"


def test_a_batch_of_empty_cells_has_no_say(counts) -> None:
    full, empty = counts[:120].copy(), counts[:120].copy()
    values = dense(empty.X)
    values[100:] = 0
    full, empty = full[:100].copy(), ad.AnnData(values.astype(np.float32), obs=empty.obs, var=empty.var)
    empty.obs["run"] = np.repeat(["full", "empty"], [100, 20])
    contrastive_preprocess(full, n_top_genes=30)
    contrastive_preprocess(empty, n_top_genes=30, batch_key="run")
    assert chosen(empty) == chosen(full)


def test_a_batch_of_two_cells_has_no_say(counts) -> None:
    large = counts[:100].copy()
    both = counts[:102].copy()
    both.obs["run"] = np.repeat(["large", "small"], [100, 2])
    contrastive_preprocess(large, n_top_genes=30)
    contrastive_preprocess(both, n_top_genes=30, batch_key="run")
    assert chosen(both) == chosen(large)


def test_more_genes_wanted_than_a_batch_has(counts) -> None:
    counts.obs["run"] = np.repeat(["large", "small"], [196, 4])
    contrastive_preprocess(counts, n_top_genes=270, batch_key="run")
    assert counts.var["highly_variable"].sum() == 270


def test_genes_that_tell_batches_apart_lose(counts) -> None:
    values = dense(counts.X)
    of_one = np.random.default_rng(0).poisson(np.geomspace(0.3, 9, 30), (200, 30))
    values[:, 270:] = np.where(counts.obs["batch"].to_numpy()[:, None] == "donor1", of_one, 0)
    adata = ad.AnnData(values.astype(np.float32), obs=counts.obs, var=counts.var)
    batch_genes = set(adata.var_names[270:])
    blind = contrastive_preprocess(adata, n_top_genes=30, copy=True)
    aware = contrastive_preprocess(adata, n_top_genes=30, batch_key="batch", copy=True)
    assert len(batch_genes & chosen(blind)) > 2 * len(batch_genes & chosen(aware))


# Where things go


def test_what_is_written(counts) -> None:
    before = set(counts.var), set(counts.obs)
    assert contrastive_preprocess(counts, "clear", n_top_genes=50) is None
    assert set(counts.var) - before[0] == {"highly_variable", *STATISTICS}
    assert set(counts.obs) == before[1]
    assert set(counts.uns) == {"clr_preprocess", "log1p"}
    assert {key for key in counts.layers if key} == {"counts"}
    assert counts.uns["clr_preprocess"] == {
        "method": "clear",
        "input": "counts",
        "layer": "X",
        "n_top_genes": 50,
        "batch_key": "",
        "target_sum": 1e4,
        "deferred": False,
        "check_values": True,
        "n_obs": counts.n_obs,
        "n_vars": counts.n_vars,
    }
    assert contrastive_preprocess(counts.copy(), "contrastive-sc", copy=True) is not None


def test_layer(counts) -> None:
    raw = dense(counts.X)
    counts.layers["umi"] = counts.X.copy()
    counts.X = sparse.csr_matrix(np.full(counts.shape, 7.5, dtype=np.float32))
    with_layer = contrastive_preprocess(counts, n_top_genes=50, layer="umi", copy=True)
    np.testing.assert_allclose(dense(with_layer.X), log_normalized(raw), rtol=2e-6)
    for layer in ("umi", "counts"):
        np.testing.assert_array_equal(dense(with_layer.layers[layer]), raw)
    assert with_layer.layers["counts"] is not with_layer.layers["umi"]
    assert with_layer.uns["clr_preprocess"]["layer"] == "umi"


def test_the_counts_layer_stays_where_it_is(counts) -> None:
    raw = counts.X.copy()
    adata = ad.AnnData(None, obs=counts.obs, var=counts.var, layers={"counts": raw})  # no X at all
    kept = freeze(adata.layers["counts"])
    contrastive_preprocess(adata, n_top_genes=50, layer="counts")
    assert freeze(adata.layers["counts"]) == kept
    np.testing.assert_allclose(dense(adata.X), log_normalized(dense(raw)), rtol=2e-6)


@pytest.mark.parametrize("name", ["counts", "linear"])
@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_with_other_values_is_not_written_over(counts, name, kind, dtype) -> None:
    counts.X = counts.X * (1 if name == "counts" else 1.7)
    values = dense(counts.X)
    counts.layers["umi"] = counts.X.copy()
    counts.layers[name] = kind(values.astype(dtype))
    fine = contrastive_preprocess(counts, n_top_genes=50, copy=True)
    np.testing.assert_array_equal(dense(fine.layers[name]), values)
    values[199, 299] += 1
    counts.layers[name] = kind(values.astype(dtype))
    for layer, where in ((None, r"adata\.X"), ("umi", r"adata\.layers\['umi'\]")):
        with unchanged(counts), pytest.raises(ValueError, match=rf"\['{name}'\] holds other.* {where}.*layer='{name}'"):
            contrastive_preprocess(counts, n_top_genes=50, layer=layer)


@pytest.mark.parametrize("name", ["spliced", "logged"])
def test_counts_that_no_layer_holds_are_not_written_over(counts, name) -> None:
    counts.layers["spliced"] = sparse.csr_matrix(np.floor(counts.X.toarray() / 2))
    counts.layers["logged"] = counts.X.log1p()
    if name == "logged":
        contrastive_preprocess(logged := counts.copy())
        counts.layers["logged"] = logged.X
    with unchanged(counts), pytest.raises(ValueError, match=r"adata.X holds counts that are in no layer.*'raw'"):
        contrastive_preprocess(counts, layer=name)
    counts.layers["raw"] = counts.X.toarray()
    contrastive_preprocess(counts, layer=name)
    assert not np.array_equal(counts.X.toarray(), counts.layers["raw"])


@pytest.mark.parametrize("trouble", ["NaN in X", "objects in X", "NaN in another layer", "raw"])
def test_values_nobody_asked_for_are_no_trouble(counts, trouble) -> None:
    if trouble == "NaN in another layer":
        counts.layers["a"] = np.full(counts.shape, np.nan)
    counts.layers["counts"] = counts.X.copy()
    name = "counts"
    if trouble == "NaN in X":
        counts.X = dense(counts.X)
        counts.X[5, 7] = np.nan
    elif trouble == "objects in X":
        counts.X = dense(counts.X).astype(object)
    elif trouble == "raw":
        counts.raw = counts
        counts.layers["other"] = counts.layers.pop("counts") * 2
        name = "other"
    contrastive_preprocess(counts, layer=name, n_top_genes=20)
    assert counts.var["highly_variable"].sum() == 20


def test_subset(counts) -> None:
    whole = contrastive_preprocess(counts, n_top_genes=50, copy=True)
    contrastive_preprocess(counts, n_top_genes=50, subset=True)
    assert counts.n_vars == 50
    assert set(counts.var_names) == chosen(whole)
    np.testing.assert_array_equal(dense(counts.X), dense(whole[:, counts.var_names].X))
    np.testing.assert_array_equal(dense(counts.layers["counts"]), dense(whole[:, counts.var_names].layers["counts"]))


def test_copy_leaves_the_original(counts) -> None:
    with unchanged(counts):
        made = contrastive_preprocess(counts, n_top_genes=50, copy=True)
    contrastive_preprocess(counts, n_top_genes=50)
    assert freeze(made.X) == freeze(counts.X)
    assert freeze(made.var) == freeze(counts.var)
    assert not np.shares_memory(made.layers["counts"].data, counts.layers["counts"].data)


def test_a_view_becomes_data_of_its_own(counts) -> None:
    view = counts[20:120, 10:200]
    alone = view.copy()
    with unchanged(counts):
        contrastive_preprocess(view, n_top_genes=50)
    contrastive_preprocess(alone, n_top_genes=50)
    assert not view.is_view
    assert freeze(view.X) == freeze(alone.X)
    assert freeze(view.var) == freeze(alone.var)


# Values that are no counts


def test_log_normalized_values_are_recognised(pbmc) -> None:
    values = dense(pbmc.X)
    contrastive_preprocess(pbmc, n_top_genes=100)
    assert pbmc.uns["clr_preprocess"]["input"] == "log-normalized"
    np.testing.assert_array_equal(dense(pbmc.X), values)
    assert not [key for key in pbmc.layers if key]
    expected = sc.pp.highly_variable_genes(pbmc, n_top_genes=100, flavor="seurat", inplace=False)
    np.testing.assert_array_equal(pbmc.var["highly_variable"], expected["highly_variable"])


@pytest.mark.parametrize("defer", [False, True])
@pytest.mark.parametrize(("base", "message"), [(None, "not normalised"), (2, "not normalised"), (2, "base 2")])
def test_logarithms_that_are_none_of_ours(counts, base, message, defer) -> None:
    counts.layers["umi"] = counts.X.copy()
    if message.startswith("base"):
        sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts, base=base)
    for function in (contrastive_preprocess, select_n_top_genes):
        with unchanged(counts), pytest.raises(ValueError, match=message):
            function(counts, **({"defer": defer} if function is contrastive_preprocess else {}))
    contrastive_preprocess(counts, n_top_genes=50, layer="umi")
    assert counts.uns["log1p"] == {}


def test_what_scanpy_knows_of_logarithms_stays(counts) -> None:
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts)
    counts.uns["log1p"]["mine"] = 3
    contrastive_preprocess(counts, n_top_genes=50)
    assert counts.uns["log1p"]["mine"] == 3


@pytest.mark.parametrize(("layer", "words"), [(None, "they stay as they are"), ("logs", "X is now a copy of them")])
def test_it_says_that_values_were_logarithms_already(pbmc, caplog, layer, words) -> None:
    caplog.set_level("INFO", logger="scclr_ext")
    pbmc.layers["logs"] = pbmc.X.copy()
    contrastive_preprocess(pbmc, n_top_genes=50, layer=layer)
    assert f"held values that were already log-normalised; {words}, var" in caplog.text


def test_log_normalized_values_of_a_layer(pbmc) -> None:
    pbmc.layers["logs"] = pbmc.X.copy()
    pbmc.X = sparse.csr_matrix(pbmc.shape, dtype=np.float32)
    contrastive_preprocess(pbmc, n_top_genes=100, layer="logs")
    np.testing.assert_array_equal(dense(pbmc.X), dense(pbmc.layers["logs"]))
    assert pbmc.X is not pbmc.layers["logs"]


def test_linear_values_are_handled(counts) -> None:
    rpkm = dense(counts.X) * 37.5
    adata = ad.AnnData(rpkm)
    contrastive_preprocess(adata, n_top_genes=50)
    assert adata.uns["clr_preprocess"]["input"] == "linear"
    np.testing.assert_allclose(adata.X, log_normalized(rpkm), rtol=2e-6)
    assert {key for key in adata.layers if key} == {"linear"}  # they are no counts and not called so
    np.testing.assert_array_equal(adata.layers["linear"], rpkm)


def test_a_second_call_changes_nothing(counts) -> None:
    contrastive_preprocess(counts, n_top_genes=50)
    once = counts.copy()
    contrastive_preprocess(counts, n_top_genes=50)
    for name in ("X", "var", "obs"):
        assert freeze(getattr(counts, name)) == freeze(getattr(once, name)), name
    assert freeze(counts.layers["counts"]) == freeze(once.layers["counts"])
    assert counts.uns["clr_preprocess"] == once.uns["clr_preprocess"] | {
        "input": "log-normalized",
        "target_sum": "kept",
    }


def test_scanpy_goes_on(counts) -> None:
    contrastive_preprocess(counts, n_top_genes=50)
    sc.tl.rank_genes_groups(counts, "group", method="t-test")
    best = pd.DataFrame(counts.uns["rank_genes_groups"]["names"])[:10]
    for i, group in enumerate(best):  # markers were simulated as genes 30 i to 30 i + 29
        assert all(30 * i <= int(name.removeprefix("gene")) < 30 * (i + 1) for name in best[group])
    sc.tl.score_genes(counts, [f"gene{i}" for i in range(30)], ctrl_size=20)
    assert counts.obs.groupby("group", observed=True)["score"].mean().idxmax() == "type0"


# Every kind of matrix


def kinds(values: np.ndarray) -> dict[str, object]:
    read_only = values.copy()
    read_only.flags.writeable = False
    locked = sparse.csr_matrix(values)
    for part in (locked.data, locked.indices, locked.indptr):
        part.flags.writeable = False
    unsorted = sparse.csr_matrix(values)
    for i in range(len(values)):
        row = slice(*unsorted.indptr[i : i + 2])
        unsorted.indices[row], unsorted.data[row] = unsorted.indices[row][::-1].copy(), unsorted.data[row][::-1].copy()
    unsorted.has_sorted_indices = False
    return {
        **{kind.__name__: kind(values) for kind in SPARSE},
        "ndarray": values,
        "fortran": np.asfortranarray(values),
        "read-only": read_only,
        "read-only csr": locked,
        "unsorted csr": unsorted,
        "masked": np.ma.MaskedArray(values),
    }


SMALL = np.random.default_rng(1).poisson(0.8, (30, 40)).astype(np.float32)
DTYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint16", "bool"]


@pytest.mark.parametrize("kind", list(kinds(SMALL)))
@pytest.mark.parametrize("layer", [None, "raw"])
def test_every_container(kind, layer) -> None:
    matrix = kinds(SMALL)[kind]
    given_ = freeze(matrix)
    adata = ad.AnnData(matrix) if layer is None else ad.AnnData(None, layers={"raw": matrix}, shape=SMALL.shape)
    contrastive_preprocess(adata, n_top_genes=20, layer=layer)
    np.testing.assert_allclose(dense(adata.X), log_normalized(SMALL.astype(float)), rtol=2e-6)
    assert adata.X.dtype == np.float32
    assert sparse.issparse(adata.X) == sparse.issparse(matrix)
    assert freeze(matrix) == given_  # the user's own array, which the AnnData was made of
    np.testing.assert_array_equal(dense(adata.layers["counts"]), SMALL)
    reference = ad.AnnData(SMALL.copy())
    contrastive_preprocess(reference, n_top_genes=20)
    assert chosen(adata) == chosen(reference)


@pytest.mark.parametrize("kind", list(kinds(SMALL)))
@pytest.mark.parametrize("layer", [None, "raw"])
def test_deferred_in_every_container(kind, layer) -> None:
    matrix = kinds(SMALL)[kind]
    given_ = freeze(matrix)
    adata = ad.AnnData(matrix) if layer is None else ad.AnnData(None, layers={"raw": matrix}, shape=SMALL.shape)
    contrastive_preprocess(adata, n_top_genes=20, layer=layer, defer=True)
    assert freeze(matrix) == given_
    if layer is None:
        np.testing.assert_array_equal(dense(adata.X), SMALL)
    else:
        assert adata.X is None
    assert "counts" not in adata.layers
    np.testing.assert_array_equal(adata.obs["clr_library_size"], SMALL.sum(axis=1))
    reference = ad.AnnData(SMALL.copy())
    contrastive_preprocess(reference, n_top_genes=20)
    assert chosen(adata) == chosen(reference)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["ndarray", "csr_matrix"])
def test_every_dtype(dtype, kind) -> None:
    if (dtype, kind) == ("float16", "csr_matrix"):
        with pytest.raises(ValueError, match="float16"):  # SciPy knows no such matrix
            sparse.csr_matrix(SMALL.astype(dtype))
        return
    values = SMALL.astype(dtype)
    adata = ad.AnnData(values if kind == "ndarray" else sparse.csr_matrix(values))
    contrastive_preprocess(adata, n_top_genes=20)
    np.testing.assert_allclose(dense(adata.X), log_normalized(values.astype(float)), rtol=2e-6)
    assert adata.X.dtype == np.float32
    assert adata.layers["counts"].dtype == dtype


def test_np_matrix() -> None:
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(SMALL)
    with pytest.warns(ad.ImplicitModificationWarning, match=r"np\.matrix"):
        adata = ad.AnnData(matrix)
    contrastive_preprocess(adata, n_top_genes=20)
    np.testing.assert_allclose(adata.X, log_normalized(SMALL.astype(float)), rtol=2e-6)


def test_repeated_entries_are_summed() -> None:
    # Every row is stored twice over: the values 0 to 39 and then again.
    places = np.tile(np.arange(40), 60)
    twice = sparse.csr_matrix((np.repeat(SMALL, 2, axis=0).ravel(), places, np.arange(31) * 80), shape=SMALL.shape)
    adata = ad.AnnData(twice)
    contrastive_preprocess(adata, n_top_genes=20)
    np.testing.assert_allclose(dense(adata.X), log_normalized(2.0 * SMALL), rtol=2e-6)


@pytest.mark.parametrize("n_cells", [2, 3])
def test_very_few_cells(counts, n_cells) -> None:
    few = counts[:n_cells].copy()
    raw = dense(few.X)
    contrastive_preprocess(few, n_top_genes=5)
    assert few.var["highly_variable"].sum() >= 5
    assert not few.var["highly_variable"][(raw > 0).sum(axis=0) < 2].any()


# What is refused, with the AnnData as it was


def spoiled(value: float, kind=np.array) -> ad.AnnData:
    values = SMALL.copy()
    values[3, 4] = value
    return ad.AnnData(kind(values))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, sparse.csc_array])
def test_values_that_are_not_finite(value, kind) -> None:
    adata = spoiled(value, kind)
    with unchanged(adata), pytest.raises(ValueError, match=r"adata\.X holds NaN or infinite values; remove"):
        contrastive_preprocess(adata)


def test_values_beyond_float32() -> None:
    adata = ad.AnnData(SMALL.astype(np.float64) * 1e300)
    with unchanged(adata), pytest.raises(ValueError, match="infinite"):
        contrastive_preprocess(adata)


def test_scaled_values() -> None:
    adata = ad.AnnData(None, shape=SMALL.shape, layers={"z": SMALL - SMALL.mean(axis=0)})
    with unchanged(adata), pytest.raises(ValueError, match=r"adata\.layers\['z'\] has negative values.*raw counts"):
        contrastive_preprocess(adata, layer="z")


def with_obs(**columns) -> ad.AnnData:
    return ad.AnnData(SMALL.copy(), obs=pd.DataFrame(columns, index=[f"cell{i}" for i in range(30)]))


def with_duplicates() -> ad.AnnData:
    with pytest.warns(UserWarning, match="not unique"):
        return ad.AnnData(SMALL.copy(), var=pd.DataFrame(index=["a", "b", "a", *(f"g{i}" for i in range(37))]))


WRONG = {
    "scaled": (lambda: spoiled(-1.0), {}, ValueError, "negative"),
    "duplicates": (with_duplicates, {}, ValueError, r"'a'.*var_names_make_unique"),
    "no layer": (with_obs, {"layer": "nope"}, KeyError, r"layer='nope'.*adata\.layers"),
    "no X": (lambda: ad.AnnData(shape=(4, 5)), {}, ValueError, r"adata\.X is empty.*layer="),
    "no batch": (lambda: with_obs(run="a"), {"batch_key": "nope"}, KeyError, r"batch_key='nope'.*'run'"),
    "NaN in batch": (
        lambda: with_obs(run=["a"] * 28 + [np.nan] * 2),
        {"batch_key": "run"},
        ValueError,
        "'run'.*missing for 2 cells",
    ),
    "no mask": (with_obs, {"mask_genes": "nope"}, KeyError, r"mask_genes='nope'.*adata\.var; found none"),
    "mask of numbers": (
        with_obs,
        {"mask_genes": np.arange(40.0)},
        ValueError,
        "mask_genes.*boolean.*found .*2.0.*float64",
    ),
    "short mask": (with_obs, {"mask_genes": np.ones(3, bool)}, ValueError, r"mask_genes.*\(40\).*\(3,\)"),
    "nothing allowed": (with_obs, {"mask_genes": np.zeros(40, bool)}, ValueError, "No gene.*mask_genes"),
    "all zero": (lambda: ad.AnnData(np.zeros((5, 6), np.float32)), {}, ValueError, "No gene"),
    "one cell": (lambda: ad.AnnData(SMALL[:1].copy()), {}, ValueError, "No gene.*at least 2 cells"),
    "no cells": (lambda: ad.AnnData(SMALL[:0].copy()), {}, ValueError, "0 cells and 40 genes"),
    "no genes": (lambda: ad.AnnData(SMALL[:, :0].copy()), {}, ValueError, "30 cells and 0 genes"),
    "no numbers": (lambda: ad.AnnData(SMALL.astype(complex)), {}, TypeError, "complex128 values; numbers"),
    "objects": (lambda: ad.AnnData(SMALL.astype(object)), {}, TypeError, "object values; numbers"),
    "method": (with_obs, {"method": "pca"}, ValueError, "`method` 'pca'; choose one of 'clear'|'scclr'"),
    "0 genes wanted": (with_obs, {"n_top_genes": 0}, ValueError, "n_top_genes.*at least 1; found 0"),
    "2.5 genes wanted": (with_obs, {"n_top_genes": 2.5}, ValueError, r"n_top_genes.*whole.*2\.5"),
    "subset of what stays": (with_obs, {"subset": True, "defer": True}, ValueError, "subset=True.*defer=False"),
    "text": (with_obs, {"n_top_genes": "9"}, ValueError, "n_top_genes.*whole.*'9'"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_refused_and_untouched(case) -> None:
    make, arguments, error, message = WRONG[case]
    adata = make()
    with unchanged(adata), pytest.raises(error, match=message):
        contrastive_preprocess(adata, **arguments)


def test_a_refused_view_stays_a_view(counts) -> None:
    counts.X.data[0] = np.nan
    view = counts[:10]
    with unchanged(view, counts), pytest.raises(ValueError, match="NaN"):
        contrastive_preprocess(view)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("stage", ["to_memory", "guess_units", "normalize", "select_genes"])
def test_interrupted_and_untouched(counts, monkeypatch, stage, stop) -> None:
    def fail(*args, **kwargs):
        raise stop

    monkeypatch.setattr(f"scclr_ext.pp._prepare.{stage}", fail)
    with unchanged(counts), pytest.raises(stop):
        contrastive_preprocess(counts)


def test_the_recipes_of_the_papers() -> None:
    assert METHODS["contrastive-sc"].recipe == (None, 500)
    assert METHODS["clear"].recipe == METHODS["scclr"].recipe == (1e4, 2000)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_counts_beside_logarithms_are_refused(counts, kind) -> None:
    counts.X = counts.X * 3
    logs = counts[100:].copy()
    sc.pp.normalize_total(logs, target_sum=1e4)
    sc.pp.log1p(logs)
    joined = ad.concat([counts[:100], logs])
    joined.X = kind(dense(joined.X).astype(np.float32))
    with unchanged(joined), pytest.raises(ValueError, match=r"adata.X holds counts of some cells \(100 of 200"):
        contrastive_preprocess(joined)


def test_counts_beside_corrected_counts_are_fine(counts) -> None:
    counts.X = counts.X * 30
    corrected = counts[100:].copy()
    corrected.X = corrected.X * np.float32(0.377)
    joined = ad.concat([counts[:100], corrected])
    contrastive_preprocess(joined)
    assert joined.uns["clr_preprocess"]["input"] == "linear"


def test_small_counts_beside_logarithms_are_refused_as_well(counts) -> None:
    counts.X = sparse.csr_matrix(np.minimum(dense(counts.X), 20).astype(np.float32))
    logs = counts[100:].copy()
    sc.pp.normalize_total(logs, target_sum=1e4)
    sc.pp.log1p(logs)
    with pytest.raises(ValueError, match="holds counts of some cells"):
        contrastive_preprocess(ad.concat([counts[:100], logs]))
