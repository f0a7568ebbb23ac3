"""Mapping: units, genes, labels, confidence, novelty, batches, and nothing changed on failure."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scclr_ext as clr
from anndata_state import assert_reads_back, freeze, freeze_adata, unchanged
from joined import embedded_apart, joined
from scclr_ext._values.stored import StoredRows
from scclr_ext.engine import hold
from scclr_ext.engine.methods import METHODS
from scclr_ext.io._get_model import get_model
from scclr_ext.tl import map_query
from scclr_ext.tl._mapping import query as _map_input
from stored import stored

pytestmark = pytest.mark.filterwarnings("ignore:Do not trust this embedding:UserWarning")

COLUMNS = ["clr_label", "clr_confidence", "clr_novelty", "clr_novel"]


def train(adata: ad.AnnData, method: str = "contrastive-sc", *, n_steps: int = 30, **options) -> ad.AnnData:
    clr.pp.contrastive_preprocess(adata, method, n_top_genes=100)
    clr.tl.contrastive_embed(adata, method, n_steps=n_steps, device="cpu", progress=False, **options)
    return adata


@pytest.fixture(scope="module")
def _reference(_counts: ad.AnnData) -> ad.AnnData:
    return train(_counts[:140].copy())


@pytest.fixture
def reference(_reference: ad.AnnData) -> ad.AnnData:
    """140 trained cells of three groups."""
    return _reference.copy()


@pytest.fixture
def query(counts: ad.AnnData) -> ad.AnnData:
    """60 other cells, raw counts."""
    return counts[140:].copy()


def embedding(query: ad.AnnData, reference: ad.AnnData, **options) -> np.ndarray:
    return map_query(query, reference, device="cpu", copy=True, **options).obsm["X_clr"]


def logged(counts: ad.AnnData, target_sum: float) -> np.ndarray:
    values = counts.X.toarray().astype(float)
    return np.log1p(values * target_sum / values.sum(1, keepdims=True))


# What is written


def test_what_is_written(query, reference) -> None:
    bare = query.copy()
    assert map_query(query, reference, labels="group", device="cpu") is None
    assert list(query.obsm) == ["X_clr"]
    assert list(query.obs) == [*bare.obs, *COLUMNS]
    assert list(query.uns) == ["clr_mapping"]
    assert query.obsm["X_clr"].dtype == np.float32
    assert query.obs["clr_label"].cat.categories.tolist() == ["type0", "type1", "type2"]
    assert query.obs["clr_novel"].dtype == bool
    assert ((query.obs["clr_novelty"] > 1) == query.obs["clr_novel"]).all()
    params = query.uns["clr_mapping"]["params"]
    assert (params["labels"], params["units"], params["target_sum"]) == ("group", "counts", reference_size(reference))
    assert (params["n_genes"], params["n_shared"]) == (100, 100)
    query.obs = query.obs[list(bare.obs)]
    del query.obsm["X_clr"], query.uns["clr_mapping"]
    assert freeze_adata(query) == freeze_adata(bare)


def test_labels_in_the_order_in_which_people_count(query, reference) -> None:
    reference.obs["number"] = [f"T{i}" for i in np.arange(140) % 11]
    map_query(query, reference, labels="number", device="cpu")
    assert query.obs["clr_label"].cat.categories.tolist() == [f"T{i}" for i in range(11)]
    reference.obs["number"] = pd.Series([1, "1"] * 70, index=reference.obs_names, dtype=object)
    with unchanged(query), pytest.raises(ValueError, match="labels of the same name"):
        map_query(query, reference, labels="number", device="cpu")


def test_colours_of_other_labels_do_not_stay(query, reference) -> None:
    reference.uns["group_colors"] = ["#111111", "#222222", "#333333"]
    map_query(query, reference, labels="group", device="cpu")
    assert list(query.uns["clr_label_colors"]) == reference.uns["group_colors"]
    reference.obs["other"] = reference.obs["group"].astype(str).str.upper()
    map_query(query, reference, labels="other", device="cpu")
    assert "clr_label_colors" not in query.uns


def test_a_tiny_batch_of_the_reference_changes_little(query, counts) -> None:
    counts.obs["donor"] = np.where(np.arange(200) < 4, "tiny", "large")
    told = train(counts[:140].copy(), "scclr", batch_key="donor")
    map_query(query, told, labels="group", device="cpu")
    assert query.uns["clr_mapping"]["held_out"]["accuracy"] > 0.9
    assert query.obs["clr_confidence"].mean() > 0.8
    told.obs.loc[told.obs_names[0], "donor"] = None  # no batches any more: as without
    with pytest.warns(UserWarning, match="cells of one batch"):
        map_query(query, told, labels="group", device="cpu")
    assert query.uns["clr_mapping"]["held_out"]["accuracy"] > 0.9


@pytest.mark.parametrize("cut", ["reference", "query", "query before its logarithms", "neither"])
def test_libraries_of_other_genes_are_told_of(counts, cut) -> None:
    counts.X = sparse.csr_matrix(counts.X.toarray() + 5 * (np.arange(300) >= 100))  # most counts are of other genes
    model_genes = np.arange(300) < 60
    reference, query = counts[:90].copy(), counts[90:].copy()
    if cut == "reference":
        reference = reference[:, :100].copy()
    elif cut != "neither":
        query = query[:, :100].copy()
    reference.var["mine"] = model_genes[: reference.n_vars]
    clr.pp.contrastive_preprocess(reference, mask_genes="mine", n_top_genes=60)
    clr.tl.contrastive_embed(reference, "contrastive-sc", n_steps=5, device="cpu", progress=False)
    if cut == "query before its logarithms":
        query.X = sparse.csr_matrix(logged(query, 1e4).astype(np.float32))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        map_query(query, reference, labels="group", device="cpu")
    said = [str(one.message) for one in caught if "share of a cell's library" in str(one.message)]
    assert len(said) == (cut != "neither")


@pytest.mark.parametrize("odd", ["empty cells", "a few cells"])
def test_libraries_that_are_not_compared(counts, odd) -> None:
    counts.X = sparse.csr_matrix(counts.X.toarray() + 5 * (np.arange(300) >= 100))
    reference, query = counts[:90].copy(), counts[90:].copy()
    reference.var["mine"] = np.arange(300) < 60
    clr.pp.contrastive_preprocess(reference, mask_genes="mine", n_top_genes=60)
    clr.tl.contrastive_embed(reference, "contrastive-sc", n_steps=5, device="cpu", progress=False)
    if odd == "empty cells":
        query.X = sparse.csr_matrix(query.X.toarray() * (np.arange(110) < 30)[:, None])
    else:  # of a type that has much of the model's genes
        query = query[:50].copy()
        query.X = sparse.csr_matrix(query.X.toarray() * np.where(np.arange(300) < 60, 40, 1))
    map_query(query, reference, device="cpu")  # a warning is an error
    assert "X_clr" in query.obsm


def test_a_model_of_before_knows_no_shares(query, reference) -> None:
    del reference.uns["clr"]["preprocess"]["library_share"]
    map_query(query, reference, device="cpu")
    assert "X_clr" in query.obsm


def reference_size(reference: ad.AnnData) -> float:
    return reference.uns["clr"]["preprocess"]["target_sum"]


def test_the_groups_are_found(query, reference) -> None:
    map_query(query, reference, labels="group", device="cpu")
    assert (query.obs["clr_label"].astype(str) == query.obs["group"].astype(str)).mean() > 0.95
    assert query.uns["clr_mapping"]["held_out"]["accuracy"] > 0.95
    assert query.obs["clr_confidence"].between(1 / 3, 1).all()


def test_without_labels(query, reference) -> None:
    map_query(query, reference, device="cpu")
    assert list(query.obs)[2:] == ["clr_novelty", "clr_novel"]


def test_a_copy(query, reference) -> None:
    with unchanged(query, reference):
        out = map_query(query, reference, labels="group", copy=True, device="cpu")
    assert {"X_clr"} == set(out.obsm)


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_what_is_written_survives_a_file(query, reference, tmp_path, suffix) -> None:
    map_query(query, reference, labels="group", batch_key="batch", device="cpu")
    path = tmp_path / f"query.{suffix}"
    query.write_h5ad(path) if suffix == "h5ad" else query.write_zarr(path)
    read = ad.read_h5ad(path) if suffix == "h5ad" else ad.read_zarr(path)
    assert_reads_back(read.uns["clr_mapping"], query.uns["clr_mapping"])
    pd.testing.assert_frame_equal(read.obs, query.obs, check_dtype=False, check_categorical=False)


def test_names(query, reference) -> None:
    map_query(query, reference, labels="group", key_added="foo", device="cpu")
    assert list(query.obsm) == ["foo"]
    assert list(query.obs)[2:] == ["foo_label", "foo_confidence", "foo_novelty", "foo_novel"]
    assert list(query.uns) == ["foo_mapping"]


def test_the_embedding_has_the_references_name(query, counts) -> None:
    reference = train(counts[:140].copy(), key_added="bar")
    map_query(query, reference, key="bar", device="cpu")
    assert list(query.obsm) == ["bar"]
    assert "bar_novelty" in query.obs
    both = ad.concat([reference, query])
    assert both.obsm["bar"].shape == (200, 60)


@pytest.mark.parametrize("place", ["h5ad", "zarr", "dask"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
@pytest.mark.parametrize("is_logged", [False, True])
def test_a_query_that_is_not_in_memory_is_read_in_blocks(
    query, reference, tmp_path, monkeypatch, place, kind, is_logged
) -> None:
    query.X = kind((logged(query, 3000) if is_logged else query.X.toarray()).astype(np.float32))
    with stored(query, place, tmp_path) as elsewhere:
        map_query(query, reference, labels="group", device="cpu")
        monkeypatch.setattr(hold, "block_rows", lambda n_genes: 16)
        monkeypatch.setattr(_map_input, "to_memory", None)
        read, sizes = StoredRows.read, []
        monkeypatch.setattr(StoredRows, "read", lambda self, rows: sizes.append(len(rows)) or read(self, rows))
        map_query(elsewhere, reference, labels="group", device="cpu")
        assert sizes == [16, 16, 16, 12]
        np.testing.assert_array_equal(elsewhere.obsm["X_clr"], query.obsm["X_clr"])
        pd.testing.assert_frame_equal(elsewhere.obs[COLUMNS], query.obs[COLUMNS])
        assert freeze(elsewhere.uns["clr_mapping"]) == freeze(query.uns["clr_mapping"])


def test_colours_come_along(query, reference) -> None:
    reference.uns["group_colors"] = ["#000000", "#111111", "#222222"]
    map_query(query, reference, labels="group", device="cpu")
    assert list(query.uns["clr_label_colors"]) == ["#000000", "#111111", "#222222"]


def test_an_embedding_of_the_querys_own_stays(query, reference) -> None:
    """Its network would otherwise stand beside the embedding of another one."""
    train(query, n_steps=3)
    with unchanged(query), pytest.raises(ValueError, match=r"obsm\['X_clr'\].*uns\['clr'\].*`key_added`"):
        map_query(query, reference, labels="group", device="cpu")
    own = query.obsm["X_clr"].copy()
    map_query(query, reference, labels="group", key_added="foo", device="cpu")
    np.testing.assert_array_equal(query.obsm["X_clr"], own)


def test_a_mapping_may_be_done_again(query, reference) -> None:
    map_query(query, reference, device="cpu")
    query.obsm["X_clr"][:] = 0
    map_query(query, reference, labels="group", device="cpu")
    assert query.obsm["X_clr"].any()


def test_labels_of_an_earlier_mapping_do_not_stay(query, reference) -> None:
    map_query(query, reference, labels="group", device="cpu")
    query.obs["clr_other"] = 1.0
    map_query(query, reference, device="cpu")
    assert list(query.obs)[2:] == ["clr_novelty", "clr_novel", "clr_other"]


def test_columns_of_that_name_that_no_mapping_wrote_stay(query, reference) -> None:
    query.obs["clr_label"] = "mine"
    map_query(query, reference, device="cpu")
    assert set(query.obs["clr_label"]) == {"mine"}


# The embedding


@pytest.mark.parametrize("method", list(METHODS))
def test_reference_cells_map_onto_themselves(counts, method) -> None:
    reference = train(counts.copy(), method, n_steps=3)
    np.testing.assert_allclose(embedding(counts, reference), reference.obsm["X_clr"], atol=1e-4)


@pytest.mark.parametrize("where", ["folder", "model", "str", "file"])
def test_wherever_the_model_is(query, reference, tmp_path, where) -> None:
    clr.io.save(reference, tmp_path / "model", labels="group")
    reference.write_h5ad(tmp_path / "reference.h5ad")
    source = {
        "folder": tmp_path / "model",
        "str": str(tmp_path / "model"),
        "model": clr.io.load(tmp_path / "model"),
        "file": ad.read_h5ad(tmp_path / "reference.h5ad"),
    }[where]
    other = map_query(query, source, labels="group", device="cpu", copy=True)
    map_query(query, reference, labels="group", device="cpu")
    assert freeze(other.obsm["X_clr"]) == freeze(query.obsm["X_clr"])
    pd.testing.assert_frame_equal(other.obs, query.obs)


def test_labels_saved_along_are_used_unasked(query, reference, tmp_path) -> None:
    clr.io.save(reference, tmp_path / "model", labels="group")
    map_query(query, tmp_path / "model", device="cpu")
    assert "clr_label" in query.obs


def test_a_model_without_cells_only_embeds(query, reference) -> None:
    map_query(query, get_model(reference), device="cpu")
    assert list(query.obs) == ["group", "batch"]
    assert "X_clr" in query.obsm


def test_a_cell_is_mapped_by_itself(query, reference) -> None:
    together = map_query(query, reference, labels="group", device="cpu", copy=True)
    alone = map_query(query[3:4].copy(), reference, labels="group", device="cpu", copy=True)
    np.testing.assert_allclose(alone.obsm["X_clr"][0], together.obsm["X_clr"][3], atol=1e-5)
    assert alone.obs["clr_label"].iloc[0] == together.obs["clr_label"].iloc[3]
    np.testing.assert_allclose(alone.obs["clr_confidence"], together.obs["clr_confidence"].iloc[[3]], atol=1e-4)


def test_the_same_seed_the_same_bits(query, reference) -> None:
    first, again = (map_query(query, reference, labels="group", device="cpu", copy=True) for _ in range(2))
    assert freeze_adata(first) == freeze_adata(again)


# Units


def test_counts_and_their_logarithms_map_alike(query, reference) -> None:
    expected = embedding(query, reference)
    size = reference_size(reference)
    for target_sum in (size, 1e4, 1e6):
        other = ad.AnnData(logged(query, target_sum).astype(np.float32), obs=query.obs, var=query.var)
        np.testing.assert_allclose(embedding(other, reference), expected, atol=1e-3)


def test_counts_of_other_types_and_places_map_alike(query, reference) -> None:
    expected = embedding(query, reference)
    for dtype in (np.int64, np.float64, np.uint16):
        other = query.copy()
        other.X = query.X.astype(dtype)
        np.testing.assert_allclose(embedding(other, reference), expected, atol=1e-5)
    for convert in (sparse.csc_matrix, sparse.csr_array, lambda x: x.toarray()):
        other = query.copy()
        other.X = convert(query.X)
        np.testing.assert_allclose(embedding(other, reference), expected, atol=1e-5)
    query.layers["raw"], query.X = query.X, query.X * 0 - 1 if not sparse.issparse(query.X) else query.X * -1
    np.testing.assert_allclose(embedding(query, reference, layer="raw"), expected, atol=1e-5)


def test_a_user_who_normalised_alone(counts, query) -> None:
    """The library size is then read off the values."""
    reference = ad.AnnData(logged(counts[:140], 5000).astype(np.float32), obs=counts.obs[:140], var=counts.var)
    clr.tl.contrastive_embed(reference, "contrastive-sc", n_steps=3, device="cpu", progress=False)
    assert reference.uns["clr"]["preprocess"]["target_sum"] == pytest.approx(5000, rel=1e-4)
    other = ad.AnnData(logged(query, 5000).astype(np.float32), obs=query.obs, var=query.var)
    np.testing.assert_allclose(embedding(query, reference), embedding(other, reference), atol=1e-3)


def test_counts_where_the_library_size_is_unknown(counts, query) -> None:
    reference = ad.AnnData(logged(counts[:140], 5000).astype(np.float32), obs=counts.obs[:140], var=counts.var)
    reference = reference[:, 50:].copy()  # genes left out after the normalisation
    clr.tl.contrastive_embed(reference, "contrastive-sc", n_steps=3, device="cpu", progress=False)
    assert reference.uns["clr"]["preprocess"]["target_sum"] == 0
    with unchanged(query), pytest.raises(ValueError, match="does not know to which library size"):
        map_query(query, reference)
    other = ad.AnnData(logged(query, 5000).astype(np.float32), obs=query.obs, var=query.var)
    assert np.isfinite(embedding(other, reference)).all()


@pytest.mark.parametrize(("normalize", "base", "match"), [(False, None, "not normalised"), (True, 2, "base 2")])
def test_logarithms_that_are_none_of_ours(query, reference, normalize, base, match) -> None:
    import scanpy as sc

    if normalize:
        sc.pp.normalize_total(query, target_sum=1e4)
    sc.pp.log1p(query, base=base)
    with unchanged(query), pytest.raises(ValueError, match=match):
        map_query(query, reference, device="cpu")


def test_a_library_size_that_cannot_be_told(query, reference) -> None:
    size = reference_size(reference)
    other = ad.AnnData(logged(query, size).astype(np.float32), obs=query.obs, var=query.var)
    map_query(other[:1].copy(), reference, device="cpu")  # one cell, but of the reference's own library size
    unused = np.setdiff1d(reference.var_names, reference.var_names[reference.var["highly_variable"]])[:50]
    part = other[:, ~other.var_names.isin(unused)].copy()
    with pytest.warns(UserWarning, match=rf"cannot be told.*{size:g} per cell\. Give raw counts"):
        map_query(part, reference, device="cpu")
    np.testing.assert_allclose(part.obsm["X_clr"], embedding(other, reference), atol=1e-5)  # as they are


@pytest.mark.parametrize("units", ["counts", "logs"])
def test_an_empty_cell_has_no_label(query, reference, units) -> None:
    whole = map_query(query, reference, labels="group", device="cpu", copy=True)
    values = query.X.toarray()
    values[5] = 0
    values[7, query.var_names.isin(get_model(reference).genes)] = 0  # it has other genes, which tell nothing
    query.X = sparse.csr_matrix(values)
    if units == "logs":
        import scanpy as sc

        with pytest.warns(UserWarning, match="zero counts"):
            sc.pp.normalize_total(query, target_sum=reference_size(reference))
        sc.pp.log1p(query)
    map_query(query, reference, labels="group", device="cpu")
    assert np.isfinite(query.obsm["X_clr"]).all()
    empty = np.isin(np.arange(60), [5, 7])
    assert (query.obs["clr_label"].isna() == empty).all()
    assert (query.obs["clr_novelty"].isna() == empty).all()
    assert query.obs.loc[empty, "clr_novel"].all()
    assert (query.obs.loc[empty, "clr_confidence"] == 0).all()
    assert query.uns["clr_mapping"]["params"]["n_empty"] == 2
    pd.testing.assert_frame_equal(query.obs[COLUMNS][~empty], whole.obs[COLUMNS][~empty], atol=1e-3)
    scores = clr.get.scores_by_group(query, ["clr_novelty", "clr_confidence"], "batch")
    assert scores["mean"].notna().all()


# Genes


def test_genes_are_found_by_name(query, reference) -> None:
    expected = embedding(query, reference)
    shuffled = query[:, np.random.default_rng(0).permutation(300)].copy()
    np.testing.assert_allclose(embedding(shuffled, reference), expected, atol=1e-5)
    nothing = ad.AnnData(sparse.csr_matrix((60, 7), dtype=np.float32), obs=query.obs)
    nothing.var_names = [f"other{i}" for i in range(7)]
    more = ad.concat([nothing, query], axis="var", merge="same")
    np.testing.assert_allclose(embedding(more, reference), expected, atol=1e-5)


@pytest.mark.parametrize(("method", "scaled"), [("contrastive-sc", True), ("scclr", True), ("clear", False)])
def test_a_missing_gene_is_masked(counts, method, scaled) -> None:
    """A masked gene is zero after standardising, hence the mean; zero where a method does not standardise."""
    reference = train(counts.copy(), method, n_steps=3)
    values = ad.AnnData(reference.X.copy(), obs=counts.obs, var=counts.var)  # log-normalised
    gone = reference.var_names[reference.var["highly_variable"]][:20]
    masked = values.copy()
    x = masked.X.toarray()
    for gene in gone:
        x[:, masked.var_names.get_loc(gene)] = reference[:, gene].X.mean() if scaled else 0
    model_genes = reference.var_names[reference.var["highly_variable"]]
    expected = get_model(reference).trained.embed(x[:, masked.var_names.get_indexer(model_genes)], device="cpu")
    lacking = values[:, ~values.var_names.isin(gone)].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the library size cannot be told any more
        out = map_query(lacking, reference, device="cpu", copy=True)
    np.testing.assert_allclose(out.obsm["X_clr"], expected, atol=1e-4)
    assert out.uns["clr_mapping"]["missing_genes"].tolist() == gone.tolist()


def test_too_few_genes(query, reference) -> None:
    genes = reference.var_names[reference.var["highly_variable"]]
    few = query[:, query.var_names.isin(genes[:29]) | ~query.var_names.isin(genes)].copy()
    with (
        unchanged(few),
        pytest.raises(ValueError, match="has 29 of the model's 100 genes, fewer"),
    ):
        map_query(few, reference)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # cells with so few genes may lie apart
        map_query(few, reference, min_overlap=0.29, device="cpu")
    assert few.uns["clr_mapping"]["params"]["n_shared"] == 29


def test_no_genes_at_all(query, reference) -> None:
    query.var_names = [f"x{i}" for i in range(300)]
    with pytest.raises(ValueError, match="Name the genes as the reference does"):
        map_query(query, reference, min_overlap=0)


def test_a_chance_match_is_no_hint(query, reference) -> None:
    names = [f"x{i}" for i in range(300)]
    names[0] = f"{get_model(reference).genes[0]}.7"
    names[1] = get_model(reference).genes[1].upper()
    query.var_names = names
    with pytest.raises(ValueError, match="Name the genes as the reference does"):
        map_query(query, reference)


@pytest.mark.parametrize(
    ("rename", "hint"),
    [
        (str.upper, "upper and lower case"),
        (lambda name: f"{name}.7", "version behind the dot"),
        (lambda name: f"x{name}", r"adata.var\['symbol'\] has 100 of them"),
    ],
)
def test_a_hint_at_how_genes_are_named(query, reference, rename, hint) -> None:
    query.var["symbol"] = query.var_names if hint.startswith("adata") else "none"
    query.var_names = [rename(name) for name in query.var_names]
    with pytest.raises(ValueError, match=hint):
        map_query(query, reference)


# Labels and confidence


def test_cells_without_a_label_do_not_vote(query, reference) -> None:
    labels = reference.obs["group"].astype(object).where(np.arange(140) >= 70)
    reference.obs["half"] = pd.Categorical(labels)
    map_query(query, reference, labels="half", device="cpu")
    assert query.obs["clr_label"].notna().all()
    assert (query.obs["clr_label"].astype(str) == query.obs["group"].astype(str)).mean() > 0.9
    assert query.uns["clr_mapping"]["held_out"]["n_cells"] == 140


@pytest.mark.parametrize("kind", ["bool", "int", "str"])
def test_labels_of_any_kind(query, reference, kind) -> None:
    group = reference.obs["group"].astype(str)
    reference.obs["kind"] = {"bool": group == "type0", "int": group.str[-1].astype(int), "str": group}[kind].to_numpy()
    map_query(query, reference, labels="kind", device="cpu")
    assert set(query.obs["clr_label"]) <= set(map(str, reference.obs["kind"]))


def test_confidence_is_the_share_that_is_right(load_shared) -> None:
    """On cells the model has not seen; the calibration itself looks at reference cells only."""
    cells = load_shared("pbmc3k")
    first = np.random.default_rng(0).random(cells.n_obs) < 0.5
    reference, query = cells[first].copy(), cells[~first].copy()
    clr.pp.contrastive_preprocess(reference, "scclr", n_top_genes=500)
    clr.tl.contrastive_embed(reference, "scclr", n_steps=100, device="cpu", progress=False)
    map_query(query, reference, labels="cell_type", device="cpu")
    right = (query.obs["clr_label"].astype(str) == query.obs["cell_type"].astype(str)).to_numpy()
    confidence = query.obs["clr_confidence"].to_numpy()
    assert abs(confidence.mean() - right.mean()) < 0.06
    for low, high in ((0.3, 0.6), (0.6, 0.8), (0.8, 1.0)):
        inside = (confidence > low) & (confidence <= high)
        assert inside.sum() > 30
        assert abs(confidence[inside].mean() - right[inside].mean()) < 0.12
    assert query.obs["clr_novel"].mean() < 0.1  # a twentieth is expected


# Novelty


def test_a_type_the_reference_lacks_is_novel(counts) -> None:
    known = (counts.obs["group"] != "type2").to_numpy()
    first = np.arange(200) < 140
    reference = train(counts[known & first].copy(), "scclr", n_steps=60)
    query = counts[~first].copy()
    map_query(query, reference, labels="group", device="cpu")
    novel = (query.obs["group"] == "type2").to_numpy()
    novelty = query.obs["clr_novelty"].to_numpy()
    assert np.median(novelty[novel]) > np.quantile(novelty[~novel], 0.75)


def test_the_limit_follows_the_quantile(query, reference) -> None:
    strict, lax = (
        map_query(query, reference, novelty_quantile=q, device="cpu", copy=True).obs["clr_novelty"].to_numpy()
        for q in (0.5, 1.0)
    )
    assert (strict > lax).all()
    assert np.ptp(strict / lax) < 1e-6


def test_a_query_that_is_something_else_warns(query, reference) -> None:
    rng = np.random.default_rng(0)
    query.X = sparse.csr_matrix(rng.poisson(1.0, query.shape) * (rng.random(300) < 0.1) * 30.0).astype(np.float32)
    with pytest.warns(UserWarning, match="farther from the reference"):
        map_query(query, reference, labels="group", novelty_quantile=0.05, device="cpu")


# Batches


@pytest.fixture
def shifted(query: ad.AnnData) -> ad.AnnData:
    """Two batches, in the second of which a fifth of the genes is found three times as often."""
    rng = np.random.default_rng(1)
    factor = np.where(rng.random(300) < 0.2, 3.0, 1.0)
    late = (query.obs["batch"] == "donor1").to_numpy()
    query.X = sparse.csr_matrix(query.X.toarray() * np.where(late[:, None], factor, 1.0)).astype(np.float32)
    return query


def test_a_batch_is_moved_as_a_whole(shifted, reference) -> None:
    plain = embedding(shifted, reference)
    moved = embedding(shifted, reference, batch_key="batch")
    step = moved - plain
    for batch in ("donor0", "donor1"):
        inside = (shifted.obs["batch"] == batch).to_numpy()
        assert np.abs(step[inside] - step[inside][0]).max() < 1e-4
    assert np.abs(step).max() > 0

    # The shifted batch ends nearer to the other than it was.
    late = (shifted.obs["batch"] == "donor1").to_numpy()
    before, after = (np.linalg.norm(x[late].mean(0) - x[~late].mean(0)) for x in (plain, moved))
    assert after < before


def test_a_single_query_cell_is_not_moved(query, reference) -> None:
    few = query[:2].copy()
    out = map_query(few, reference, batch_key="batch", device="cpu", copy=True)
    np.testing.assert_array_equal(out.obsm["X_clr"], embedding(few, reference))
    assert (out.uns["clr_mapping"]["params"]["n_pairs"] < 30).all()


def test_batches_of_the_reference_are_held_out(counts) -> None:
    """Confidence and novelty then allow for batch effects: labels confounded with the batch are not to be trusted."""
    reference = train(counts.copy(), "scclr", batch_key="batch")
    reference.obs["donor"] = reference.obs["batch"].astype(str).to_numpy()
    query = counts[:20].copy()
    map_query(query, reference, labels="donor", device="cpu")
    assert query.uns["clr_mapping"]["held_out"]["accuracy"] == 0


# What is refused


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"labels": "nothing"}, KeyError, "labels='nothing'"),
        ({"layer": "nothing"}, KeyError, "layer='nothing'"),
        ({"batch_key": "nothing"}, KeyError, "batch_key='nothing'"),
        ({"key": "nothing"}, KeyError, "no 'nothing'"),
        ({"key_added": "a/b"}, ValueError, "key_added"),
        ({"n_neighbors": 0}, ValueError, "n_neighbors"),
        ({"n_neighbors": 1.5}, ValueError, "n_neighbors"),
        ({"min_overlap": 2}, ValueError, "min_overlap"),
        ({"novelty_quantile": 0}, ValueError, "novelty_quantile"),
        ({"random_state": -1}, ValueError, "random_state"),
        ({"device": "abacus"}, ValueError, "device"),
    ],
)
def test_bad_options(query, reference, options, error, match) -> None:
    with unchanged(query, reference), pytest.raises(error, match=match):
        map_query(query, reference, **options)


def test_bad_values(query, reference) -> None:
    for value, match in ((np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (-1.0, "negative values")):
        bad = query.copy()
        bad.X.data[0] = value
        with unchanged(bad), pytest.raises(ValueError, match=match):
            map_query(bad, reference)


def test_gene_names_that_occur_twice(query, reference) -> None:
    query.var_names = ["gene0", *query.var_names[:-1]]
    with pytest.raises(ValueError, match="duplicates"):
        map_query(query, reference)


def test_no_labels_anywhere(query, reference, tmp_path) -> None:
    reference.obs["empty"] = pd.Categorical([None] * 140)
    with pytest.raises(ValueError, match="gives no cell a label"):
        map_query(query, reference, labels="empty")
    reference.obs["single"] = pd.Categorical(["x", *[None] * 139])
    with pytest.raises(ValueError, match="labels 1 cell of the reference; 2 are needed"):
        map_query(query, reference, labels="single")
    clr.io.save(reference, tmp_path / "model")
    with pytest.raises(KeyError, match="no labelled cells"):
        map_query(query, tmp_path / "model", labels="group")
    with pytest.raises(ValueError, match="needs reference cells"):
        map_query(query, tmp_path / "model", batch_key="batch")
    clr.io.save(reference, tmp_path / "other", labels="batch")
    with pytest.raises(KeyError, match="labelled by 'batch'"):
        map_query(query, tmp_path / "other", labels="group")


def test_no_model(query, counts, tmp_path) -> None:
    with unchanged(query), pytest.raises(KeyError, match="contrastive_embed"):
        map_query(query, counts)
    with unchanged(query), pytest.raises(FileNotFoundError, match="no folder"):
        map_query(query, tmp_path / "nothing")
    with unchanged(query), pytest.raises(TypeError, match="AnnData is needed"):
        map_query(query, 5)
    bare = train(counts.copy(), keep_weights=False)
    with unchanged(query), pytest.raises(clr.io.ModelError, match="keep_weights"):
        map_query(query, bare)


def test_a_reference_whose_embedding_is_gone(query, reference) -> None:
    del reference.obsm["X_clr"]
    with unchanged(query), pytest.raises(KeyError, match="use_rep='X_clr'"):
        map_query(query, reference)


def test_a_reference_whose_embedding_is_another(query, reference) -> None:
    mapped = map_query(query, reference, device="cpu", copy=True)
    both = ad.concat([reference, mapped], uns_merge="first")
    with unchanged(query), pytest.raises(ValueError, match=r"has 200 cells.*uns\['clr'\] was trained on 140"):
        map_query(query, both, labels="group")
    map_query(query, reference[:100].copy(), labels="group", device="cpu")
    reference.obsm["X_clr"] = reference.obsm["X_clr"][:, :20]
    with pytest.raises(ValueError, match=r"obsm\['X_clr'\] of the reference has 20 dimensions.*embed"):
        map_query(query, reference, labels="group")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("stage", ["read_query", "assess", "record_of"])
def test_interrupted_and_untouched(query, reference, monkeypatch, stage, error) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(f"scclr_ext.tl._map_query.{stage}", fail)
    with unchanged(query, reference), pytest.raises(error):
        map_query(query, reference, labels="group", device="cpu")


def test_a_view_becomes_data_of_its_own(counts, reference) -> None:
    view = counts[140:]
    map_query(view, reference, device="cpu")
    assert not view.is_view
    assert "X_clr" not in counts.obsm


def test_a_joint_graph(query, reference) -> None:
    import scanpy as sc

    map_query(query, reference, labels="group", device="cpu")
    both = ad.concat({"reference": reference, "query": query}, label="origin", index_unique="-")
    sc.pp.neighbors(both, use_rep="X_clr")
    graph = both.obsp["connectivities"]
    origin = (both.obs["origin"] == "query").to_numpy()
    assert graph[origin][:, ~origin].nnz > 0


def test_an_embedding_is_not_put_where_a_mapping_is(query, reference) -> None:
    map_query(query, reference, device="cpu")
    clr.pp.contrastive_preprocess(query, n_top_genes=100)
    with unchanged(query), pytest.raises(ValueError, match=r"mapped onto a reference.*uns\['clr_mapping'\].*key_added"):
        clr.tl.contrastive_embed(query, n_steps=2, progress=False)
    clr.tl.contrastive_embed(query, n_steps=2, progress=False, key_added="own")
    del query.uns["clr_mapping"]
    clr.tl.contrastive_embed(query, n_steps=2, progress=False)


def test_which_cells_a_network_knows_is_told_of_what_was_joined(query, reference) -> None:
    mapped = map_query(query, reference, device="cpu", copy=True)
    both = ad.concat([reference, mapped], uns_merge="first")
    clr.tl.contrastive_cluster(both, resolution=1)  # warnings are errors
    both.uns["clr_mapping"]["params"]["obsm_key"] = "X_other"
    with pytest.warns(UserWarning, match="trained on 140"):
        clr.tl.contrastive_cluster(both, resolution=1)
    apart = ad.concat([reference, train(query)], uns_merge="same")
    with pytest.warns(UserWarning, match=r"uns\['clr'\], the record of .*what is left of .*embedded apart"):
        clr.tl.contrastive_cluster(apart, resolution=1)


def test_antibodies_beside_the_genes_of_a_query(query, reference) -> None:
    query.var["feature_types"] = ["Antibody Capture"] * 5 + ["Gene Expression"] * (query.n_vars - 5)
    with pytest.warns(UserWarning, match=r"query.var\['feature_types'\] has 5 of 'Antibody Capture' beside"):
        map_query(query, reference, device="cpu")


def test_names_that_the_message_gives_can_be_written(query, reference, tmp_path) -> None:
    query.var["symbol"] = pd.Categorical(query.var_names)
    query.var_names = [f"ENSG{i}" for i in range(query.n_vars)]
    with pytest.raises(ValueError, match=r"adata.var_names = adata.var\['symbol'\].astype\(str\).to_numpy\(\)"):
        map_query(query, reference)
    query.var_names = query.var["symbol"].astype(str).to_numpy()
    map_query(query, reference, device="cpu")
    query.write_h5ad(tmp_path / "query.h5ad")


@pytest.mark.parametrize("how", ["same", "unique"])
def test_embeddings_that_were_joined_are_no_reference(counts, query, how) -> None:
    both = joined(counts, how)
    with unchanged(query, both), pytest.raises(clr.io.ModelError, match=r"'clr'\] is what is left of .*tl\.map_query"):
        map_query(query, both, device="cpu")


def test_a_mapping_is_not_put_where_embeddings_were_joined(counts, reference) -> None:
    both = ad.concat(embedded_apart(counts), uns_merge="same")
    with unchanged(both), pytest.raises(ValueError, match="embedding of its own.*key_added"):
        map_query(both, reference, device="cpu")
