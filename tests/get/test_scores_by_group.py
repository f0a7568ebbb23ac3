"""Scores summarised as NumPy does it; tests with one mean per donor, as SciPy gives them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse, stats

import scclr_ext as clr
from anndata_state import unchanged


def study(n: int = 40) -> AnnData:
    rng = np.random.default_rng(0)
    donors = [("well", f"h{i}", 0.0) for i in range(5)] + [("severe", f"s{i}", 2.0) for i in range(4)]
    rows = [(g, d, up + rng.normal()) for g, d, up in donors for _ in range(n)]
    obs = pd.DataFrame(rows, columns=["condition", "donor", "isg"], index=[f"c{i}" for i in range(len(rows))])
    obs["condition"] = pd.Categorical(obs["condition"], categories=["well", "severe"])
    x = sparse.csr_matrix(rng.poisson(1.0, (len(obs), 3)).astype(np.float32))
    return AnnData(x, obs=obs, var=pd.DataFrame(index=["IFI6", "CD14", "B2M"]), layers={"twice": 2 * x})


def test_numbers_are_those_of_numpy() -> None:
    adata = study()
    with unchanged(adata):
        table = clr.get.scores_by_group(adata, ["isg", "CD14"], "condition", unit="donor")
    assert table.columns.tolist() == ["score", "group", "unit", "n_cells", "mean", "q25", "median", "q75"]
    assert table["score"].tolist() == ["isg"] * 9 + ["CD14"] * 9
    assert table["unit"].tolist()[:9] == [f"h{i}" for i in range(5)] + [f"s{i}" for i in range(4)]
    for row in table.itertuples():
        cells = (adata.obs["donor"] == row.unit).to_numpy()
        values = adata.obs["isg"] if row.score == "isg" else pd.Series(adata.X[:, 1].toarray().ravel())
        own = values.to_numpy()[cells]
        assert row.n_cells == 40
        np.testing.assert_allclose(
            [row.mean, row.q25, row.median, row.q75], [own.mean(), *np.quantile(own, [0.25, 0.5, 0.75])]
        )


def test_pooled_and_from_a_layer() -> None:
    adata = study()
    plain, twice = (clr.get.scores_by_group(adata, "B2M", "condition", layer=layer) for layer in (None, "twice"))
    assert plain.columns.tolist() == ["score", "group", "n_cells", "mean", "q25", "median", "q75"]
    np.testing.assert_allclose(twice["mean"], 2 * plain["mean"])
    assert plain["n_cells"].tolist() == [200, 160]


def test_deferred_counts_are_normalised_as_the_model_reads_them() -> None:
    deferred, plain = study(), study()
    clr.pp.contrastive_preprocess(deferred, defer=True)
    clr.pp.contrastive_preprocess(plain)
    with unchanged(deferred):
        table = clr.get.scores_by_group(deferred, ["isg", "CD14"], "condition")
    expected = clr.get.scores_by_group(plain, ["isg", "CD14"], "condition")
    pd.testing.assert_frame_equal(table, expected, rtol=1e-5)
    # A layer that has nothing to do with it, and values that were normalised since, are read as they are.
    twice = clr.get.scores_by_group(deferred, "CD14", "condition", layer="twice")
    assert twice["median"].isin([0, 2, 4]).all()
    deferred.X = plain.X
    pd.testing.assert_frame_equal(clr.get.scores_by_group(deferred, ["isg", "CD14"], "condition"), expected)


def test_a_gene_that_only_raw_has_is_said() -> None:
    adata = study()
    adata.raw = adata
    part = adata[:, :2].copy()
    with pytest.raises(KeyError, match=r"'B2M'.*adata\.raw has that gene: adata\.obs\['B2M'\] = adata\.raw"):
        clr.get.scores_by_group(part, "B2M", "condition")
    part.obs["B2M"] = part.raw.obs_vector("B2M")
    expected = clr.get.scores_by_group(adata, "B2M", "condition")
    pd.testing.assert_frame_equal(clr.get.scores_by_group(part, "B2M", "condition"), expected)
    with pytest.raises(KeyError, match="'neither'") as error:
        clr.get.scores_by_group(part, "neither", "condition")
    assert "adata.raw" not in str(error.value)


def test_cells_without_a_value_are_left_out() -> None:
    adata = study()
    adata.obs.loc[adata.obs_names[:10], "isg"] = np.nan
    adata.obs.loc[adata.obs["donor"] == "h1", "isg"] = np.nan
    table = clr.get.scores_by_group(adata, "isg", "condition", unit="donor")
    assert "h1" not in set(table["unit"])
    assert table["n_cells"].iloc[0] == 30
    assert table["mean"].iloc[0] == pytest.approx(adata.obs["isg"].iloc[10:40].mean())
    assert clr.get.scores_by_group_test(adata, "isg", "condition", unit="donor")["n_units"].tolist() == [8]


def test_the_test_is_on_the_means_of_donors() -> None:
    adata = study()
    table = clr.get.scores_by_group_test(adata, ["isg", "CD14"], "condition", unit="donor")
    for name, row in table.set_index("score").iterrows():
        values = adata.obs["isg"].to_numpy() if name == "isg" else adata.X[:, 1].toarray().ravel()
        means = pd.Series(values).groupby(adata.obs["donor"].to_numpy()).mean()
        well, severe = means[[f"h{i}" for i in range(5)]], means[[f"s{i}" for i in range(4)]]
        counted = stats.mannwhitneyu(well, severe, method=stats.PermutationMethod())  # some means are tied
        assert row["p_value"] == pytest.approx(counted.pvalue)
        assert row["difference"] == pytest.approx(well.median() - severe.median())
    np.testing.assert_allclose(table["p_adjusted"], stats.false_discovery_control(table["p_value"]))
    reference = clr.get.scores_by_group_test(adata, "isg", "condition", unit="donor", reference="well")
    assert reference["comparison"].tolist() == ["severe vs well"]
    assert reference["difference"].item() == pytest.approx(-table["difference"].iloc[0])
    # over cells the gene's chance difference would be tested with 360 values, over donors with 9
    assert set(table["n_units"]) == {9}


def test_errors_name_what_is_wrong() -> None:
    adata = study()
    with pytest.raises(KeyError, match="`score` names 'foo', which is neither a column of adata.obs nor a gene"):
        clr.get.scores_by_group(adata, ["isg", "foo"], "condition")
    with pytest.raises(TypeError, match=r"`score='donor'` is a column of adata\.obs that is not numeric"):
        clr.get.scores_by_group(adata, "donor", "condition")
    with pytest.raises(KeyError, match=r"`layer='foo'` is not in adata\.layers; found 'twice'"):
        clr.get.scores_by_group(adata, "B2M", "condition", layer="foo")
    with pytest.raises(ValueError, match="`score` is empty"):
        clr.get.scores_by_group(adata, [], "condition")
    with pytest.raises(KeyError, match="`groupby='foo'`"):
        clr.get.scores_by_group_test(adata, "isg", "foo", unit="donor")
    adata.obs["empty"] = np.nan
    with pytest.raises(ValueError, match="no cell has a value"):
        clr.get.scores_by_group(adata, "empty", "condition")


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("defer", [False, True])
def test_dask_arrays_give_the_same(kind: str, defer: bool) -> None:
    dask_array = pytest.importorskip("dask.array")
    expected, adata = study(), study()
    if kind == "sparse":
        adata.X = sparse.csr_matrix(adata.X)
    adata.X = dask_array.from_array(adata.X, chunks=(7, adata.n_vars))
    if defer:
        clr.pp.contrastive_preprocess(expected, defer=True)
        clr.pp.contrastive_preprocess(adata)
    genes = ["CD14", "isg"]
    table = clr.get.scores_by_group(adata, genes, "condition")
    pd.testing.assert_frame_equal(table, clr.get.scores_by_group(expected, genes, "condition"), rtol=1e-5)


def test_truth_values_and_numbers_are_groups_by_their_names() -> None:
    adata = study()
    expected = clr.get.scores_by_group_test(adata, "isg", "condition", unit="donor", reference="well")
    for values, reference in ((adata.obs["condition"] != "well", False), (2 * (adata.obs["condition"] != "well"), 0)):
        adata.obs["ill"] = values
        for asked in (reference, str(reference)):
            found = clr.get.scores_by_group_test(adata, "isg", "ill", unit="donor", reference=asked)
            assert found["p_value"].tolist() == expected["p_value"].tolist()
            assert found["n_units"].tolist() == [9]
            assert clr.get.composition_test(adata, "ill", "ill", unit="donor", reference=asked)["n_units"].eq(9).all()


def paired_study() -> AnnData:
    """Six donors in both groups; of two of them one score is missing in one group."""
    rng = np.random.default_rng(0)
    rows = [(g, f"d{i}", up + rng.normal()) for i in range(6) for g, up in (("before", 0.0), ("after", 0.5))]
    obs = pd.DataFrame(rows, columns=["time", "donor", "whole"], index=[f"c{i}" for i in range(12)])
    obs["holes"] = obs["whole"].where(~((obs["time"] == "after") & obs["donor"].isin(["d1", "d2"])))
    return AnnData(obs=obs)


@pytest.mark.filterwarnings("ignore:Some units")
@pytest.mark.parametrize("order", [["whole", "holes"], ["holes", "whole"]])
def test_every_score_is_paired_by_itself(order) -> None:
    table = clr.get.scores_by_group_test(paired_study(), order, "time", unit="donor").set_index("score")
    assert table["test"].to_dict() == {"whole": "Wilcoxon", "holes": "Mann-Whitney"}
    assert table["n_units"].to_dict() == {"whole": 6, "holes": 6}
    alone = clr.get.scores_by_group_test(paired_study(), "whole", "time", unit="donor")
    assert table.loc["whole", "p_value"] == alone["p_value"].item()


def test_it_is_said_that_some_donors_are_paired_and_others_not() -> None:
    with pytest.warns(UserWarning, match="Some units") as caught:
        clr.get.scores_by_group_test(paired_study(), ["whole", "holes"], "time", unit="donor")
    assert len(caught) == 1


@pytest.mark.parametrize("reference", [None, "well", "severe"])
def test_a_score_that_a_group_lacks_leaves_the_others_alone(reference) -> None:
    adata = study()
    adata.obs["half"] = adata.obs["isg"].where(adata.obs["condition"] == "well")
    table = clr.get.scores_by_group_test(adata, ["half", "isg"], "condition", unit="donor", reference=reference)
    assert np.isnan(table.set_index("score").loc["half", "p_value"])
    assert table.set_index("score").loc["isg", "p_value"] < 0.05
    axes = clr.pl.scores_by_group(adata, ["half", "isg"], "condition", unit="donor", reference=reference, show=False)
    assert len(axes) == 2
    plt.close(axes[0].figure)


def test_pairs_of_nobody_are_refused() -> None:
    with pytest.raises(ValueError, match="no unit .donor. is in more than one group; leave `paired` out"):
        clr.get.scores_by_group_test(study(), "isg", "condition", unit="donor", paired=True)


def test_a_donor_may_be_one_row() -> None:
    adata = study(1)
    obs = pd.concat([adata.obs] * 4, ignore_index=True).set_index(pd.Index([f"p{i}" for i in range(36)]))
    obs["donor"] = obs.index
    pooled = AnnData(obs=obs)
    table = clr.get.scores_by_group_test(pooled, "isg", "condition", unit="donor")
    assert table["n_units"].item() == 36
