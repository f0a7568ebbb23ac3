"""Shares counted as `pandas.crosstab` counts them; tests with one value per donor, as SciPy gives them."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import scclr_ext as clr
from anndata_state import unchanged
from scclr_ext.get._group_test import compare_groups

DONORS = {"well": ["h1", "h2", "h3", "h4", "h5"], "mild": ["m1", "m2", "m3", "m4"], "severe": ["s1", "s2", "s3", "s4"]}
RISE = {"well": 0.1, "mild": 0.25, "severe": 0.6}


def study(donors=DONORS, n: int = 60, seed: int = 0) -> AnnData:
    """B cells expand with the disease, T cells give way, NK cells stay rare."""
    rng = np.random.default_rng(seed)
    rows = []
    for group, names in donors.items():
        for name in names:
            b = RISE[group] + rng.normal(0, 0.01)
            kinds = rng.choice(["B", "T", "NK"], n, p=[b, 0.95 - b, 0.05])
            rows += [(kind, group, name) for kind in kinds]
    obs = pd.DataFrame(rows, columns=["type", "condition", "donor"])
    obs["condition"] = pd.Categorical(obs["condition"], categories=list(RISE))
    obs.index = [f"cell{i}" for i in range(len(obs))]
    return AnnData(obs=obs)


def shares_by_hand(adata: AnnData, kind: str) -> pd.Series:
    """One share per donor, by the plainest means."""
    per_donor = adata.obs.groupby("donor", observed=True)
    return per_donor["type"].apply(lambda types: (types == kind).mean())


def test_groups_without_a_donor_are_told_of() -> None:
    adata = study()
    adata.obs["donor"] = adata.obs["donor"].where(adata.obs["condition"] != "mild")
    with pytest.warns(
        UserWarning, match=r"No cell of 'mild' \(obs\['condition'\], 240 cells\) has a label in obs\['donor'\]"
    ):
        clr.get.composition_test(adata, "type", "condition", unit="donor")
    some = study()
    some.obs.loc[some.obs["donor"] == "m1", "donor"] = None  # of a group that others are left of
    clr.get.composition_test(some, "type", "condition", unit="donor")


@pytest.mark.parametrize("unit", [None, "donor"])
def test_shares_are_those_of_a_cross_table(unit) -> None:
    adata = study()
    with unchanged(adata):
        table = clr.get.composition(adata, "type", "condition", unit=unit)
    sample = adata.obs["condition" if unit is None else unit].astype(str)
    expected = pd.crosstab(sample, adata.obs["type"], normalize="index")
    wide = table.pivot_table(index=unit and "unit" or "group", columns="category", values="fraction", observed=True)
    wide.index = wide.index.astype(str)
    np.testing.assert_allclose(wide.loc[expected.index, expected.columns], expected)
    assert (table["n_cells"] <= table["n_total"]).all()
    assert table.drop_duplicates("group" if unit is None else "unit")["n_total"].sum() == adata.n_obs


def test_a_type_that_a_donor_lacks_counts_as_none_of_its_cells() -> None:
    adata = study()
    kept = adata[~((adata.obs["donor"] == "h1") & (adata.obs["type"] == "NK")).to_numpy()]
    table = clr.get.composition(kept, "type", "condition", unit="donor")
    row = table[(table["unit"] == "h1") & (table["category"] == "NK")]
    assert row["n_cells"].tolist() == [0]
    assert row["fraction"].tolist() == [0.0]
    # and no donor shows up in a condition it was not sampled in
    assert len(table) == 13 * 3


def test_order_is_that_of_the_categories_and_missing_labels_are_left_out() -> None:
    adata = study()
    adata.obs["donor"] = adata.obs["donor"].astype(object)
    adata.obs.loc[adata.obs["donor"] == "m1", "donor"] = np.nan
    table = clr.get.composition(adata, "type", "condition", unit="donor")
    assert table["group"].cat.categories.tolist() == ["well", "mild", "severe"]
    assert table["group"].cat.codes.is_monotonic_increasing
    assert "m1" not in table["unit"].cat.categories


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("xy"), st.sampled_from("pqrs")), min_size=1))
def test_shares_of_a_sample_sum_to_one(cells) -> None:
    obs = pd.DataFrame(cells, columns=["type", "condition", "donor"], index=[f"c{i}" for i in range(len(cells))])
    table = clr.get.composition(AnnData(obs=obs), "type", "condition", unit="donor")
    sums = table.groupby(["group", "unit"], observed=True)["fraction"].sum()
    np.testing.assert_allclose(sums, 1.0)
    assert table["n_cells"].sum() == len(cells)


def test_three_groups_as_scipy_tests_them() -> None:
    adata = study()
    with unchanged(adata):
        table = clr.get.composition_test(adata, "type", "condition", unit="donor").set_index("category")
    for kind, row in table.iterrows():
        share = shares_by_hand(adata, kind)
        expected = stats.kruskal(*(share[names] for names in DONORS.values()))
        assert row["p_value"] == pytest.approx(expected.pvalue)
        assert row["statistic"] == pytest.approx(expected.statistic)
        assert row["n_units"] == 13
    assert set(table["test"]) == {"Kruskal-Wallis"}
    assert set(table["comparison"]) == {"well, mild, severe"}
    np.testing.assert_allclose(table["p_adjusted"], stats.false_discovery_control(table["p_value"]))
    assert table.loc["B", "p_adjusted"] < 0.05 < table.loc["NK", "p_adjusted"]


def by_counting(first: pd.Series, second: pd.Series) -> float:
    """Twice the share of all ways to deal out the values with a rank sum as extreme as the one found, on its side."""
    ranks = pd.concat([first, second]).rank().to_numpy()
    sums = np.array([sum(chosen) for chosen in itertools.combinations(ranks, len(first))])
    found = ranks[: len(first)].sum()
    return min(1.0, 2 * min((sums <= found + 1e-9).mean(), (sums >= found - 1e-9).mean()))


def arrangements(values: list[float], sizes: tuple[int, ...]):
    """All ways to deal out values to groups of these sizes."""
    if not sizes:
        yield []
        return
    for chosen in itertools.combinations(range(len(values)), sizes[0]):
        rest = [value for i, value in enumerate(values) if i not in chosen]
        yield from ([[values[i] for i in chosen], *others] for others in arrangements(rest, sizes[1:]))


@pytest.mark.parametrize("sizes", [(2, 2, 2), (2, 2, 3), (3, 3, 2), (2, 2, 2, 2)])
@pytest.mark.parametrize("tied", [False, True])
def test_a_handful_of_donors_in_several_groups_is_counted_out(sizes, tied) -> None:
    values = np.random.default_rng(sum(sizes)).normal(size=sum(sizes)).round(0 if tied else 9)
    columns = np.split(values, np.cumsum(sizes)[:-1])
    parts = [pd.DataFrame({f"g{i}": column}) for i, column in enumerate(columns)]
    (found,) = compare_groups(pd.concat(parts, ignore_index=True), reference=None, paired=False)
    observed = stats.kruskal(*columns)[0]
    drawn = [stats.kruskal(*dealt)[0] for dealt in arrangements(values.tolist(), sizes)]
    assert found.p_value == pytest.approx(np.mean([statistic >= observed - 1e-9 for statistic in drawn]))
    assert found.statistic == pytest.approx(observed)


@pytest.mark.parametrize(("n_donors", "seed"), [(3, 0), (4, 1), (4, 2)])
def test_a_handful_of_donors_in_every_group_is_counted_out(n_donors, seed) -> None:
    values = np.random.default_rng(seed).normal(size=(n_donors, 3))
    (found,) = compare_groups(pd.DataFrame(values, columns=list("abc")), reference=None, paired=True)
    rows = [list(itertools.permutations(row)) for row in values]
    observed = stats.friedmanchisquare(*values.T)[0]
    drawn = [stats.friedmanchisquare(*np.array(draw).T)[0] for draw in itertools.product(*rows)]
    assert found.p_value == pytest.approx(np.mean([statistic >= observed - 1e-9 for statistic in drawn]))
    assert found.statistic == pytest.approx(observed)


def test_the_curve_would_promise_too_much() -> None:
    rows = [[1.0, 2.0, 3.0]] * 2 + [[2.0, 1.0, 3.0]] * 2
    (found,) = compare_groups(pd.DataFrame(rows, columns=list("abc")), reference=None, paired=True)
    assert stats.friedmanchisquare(*np.transpose(rows)).pvalue < 0.05 < found.p_value


def test_ties_are_not_decided_by_rounding() -> None:
    tenths = pd.DataFrame({"a": [0.3, 0.7, 0.9, 0.1, 0.6, 0.4], "b": [0.2, 0.6, 0.7, 0.2, 0.5, 0.5]})
    (as_shares,), (as_counts,) = (
        compare_groups(table, reference=None, paired=True) for table in (tenths, (10 * tenths).round())
    )
    assert as_shares.p_value == as_counts.p_value


def test_each_group_against_a_reference() -> None:
    adata = study()
    table = clr.get.composition_test(adata, "type", "condition", unit="donor", reference="well")
    assert table["comparison"].tolist() == ["mild vs well", "severe vs well"] * 3
    share = shares_by_hand(adata, "B")
    row = table[(table["category"] == "B") & (table["comparison"] == "severe vs well")].iloc[0]
    assert row["test"] == "Mann-Whitney"
    assert row["p_value"] == pytest.approx(by_counting(share[DONORS["severe"]], share[DONORS["well"]]))
    assert row["n_units"] == 9
    assert row["difference"] == pytest.approx(share[DONORS["severe"]].median() - share[DONORS["well"]].median())
    assert row["difference"] > 0.3
    np.testing.assert_allclose(table["p_adjusted"], stats.false_discovery_control(table["p_value"]))


@pytest.mark.parametrize(("n_well", "n_ill"), [(3, 3), (4, 4), (6, 4)])
def test_a_type_that_only_the_ill_have_is_not_more_significant_than_few_donors_allow(n_well: int, n_ill: int) -> None:
    """Donors without the type are tied. A rank test can do no better than once in all arrangements, on two sides."""
    donors = [f"well{i}" for i in range(n_well)] + [f"ill{i}" for i in range(n_ill)]
    rows = [
        {"donor": donor, "condition": donor.rstrip("0123456789"), "type": "new" if k < n_new else "old"}
        for i, donor in enumerate(donors)
        for n_new in [0 if donor.startswith("well") else i]
        for k in range(20)
    ]
    adata = AnnData(obs=pd.DataFrame(rows, index=[f"c{i}" for i in range(len(rows))]))
    table = clr.get.composition_test(adata, "type", "condition", unit="donor")
    assert table["p_value"].tolist() == pytest.approx([2 / math.comb(n_well + n_ill, n_ill)] * 2)


def test_the_number_of_cells_does_not_count() -> None:
    """Ten times the cells of each donor say nothing new about donors: the trap of tests over cells."""
    adata = study(n=40)
    many = AnnData(obs=pd.concat([adata.obs] * 10).set_axis([f"c{i}" for i in range(10 * adata.n_obs)]))
    tables = [clr.get.composition_test(a, "type", "condition", unit="donor") for a in (adata, many)]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("groups", "name"), [(("well", "severe"), "Wilcoxon"), (("well", "mild", "severe"), "Friedman")]
)
def test_donors_in_every_group_are_compared_with_themselves(groups, name) -> None:
    donors = [f"d{i}" for i in range(8)]
    adata = study(dict.fromkeys(groups, donors))
    table = clr.get.composition_test(adata, "type", "condition", unit="donor").set_index("category")
    per_sample = adata.obs.assign(b=adata.obs["type"] == "B").groupby(["donor", "condition"], observed=True)["b"]
    share = per_sample.mean().unstack()
    if name == "Wilcoxon":
        expected = stats.wilcoxon(share["well"], share["severe"])
        assert table.loc["B", "difference"] == pytest.approx((share["well"] - share["severe"]).median())
    else:
        expected = stats.friedmanchisquare(*(share[group] for group in groups))
    assert table.loc["B", "p_value"] == pytest.approx(expected.pvalue)
    assert set(table["test"]) == {name}
    assert set(table["n_units"]) == {8}
    unpaired = clr.get.composition_test(adata, "type", "condition", unit="donor", paired=False)
    assert set(unpaired["test"]) == {"Mann-Whitney" if len(groups) == 2 else "Kruskal-Wallis"}


@pytest.mark.parametrize(
    "differences",
    [
        [1, 2, 3, 4, 5, 0],
        [1, 2, 3, 4, 0],
        [2, 2, 2, 2, 2],
        [1, -1, 2, 3, 3, 0, 0],
        [1, 2, -3, 4, 5, 6, -7, 8, 9, 10, 11, 12, 13, 0],
    ],
)
def test_pairs_without_a_difference_are_no_evidence(differences) -> None:
    values = pd.DataFrame({"a": np.array(differences, dtype=float), "b": 0.0})
    (found,) = compare_groups(values, reference=None, paired=True)
    told = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(told))
    rise = [abs(sum(ranks * signs)) for signs in itertools.product([-1, 1], repeat=len(told))]
    assert found.p_value == pytest.approx(np.mean(np.array(rise) >= abs(sum(ranks * np.sign(told))) - 1e-9))


def test_donors_in_some_groups_only() -> None:
    adata = study({"well": ["a", "b", "c", "d"], "severe": ["c", "d", "e"]})
    with pytest.warns(UserWarning, match=r"Some units \(donors\) are in several groups.*paired=True"):
        table = clr.get.composition_test(adata, "type", "condition", unit="donor")
    assert set(table["test"]) == {"Mann-Whitney"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = clr.get.composition_test(adata, "type", "condition", unit="donor", paired=True)
    assert set(table["n_units"]) == {2}


def test_too_few_donors_and_no_difference() -> None:
    alone = study({"well": ["a", "b"], "severe": ["c"]})
    table = clr.get.composition_test(alone, "type", "condition", unit="donor")
    assert table[["p_value", "p_adjusted", "statistic"]].isna().all(axis=None)
    assert table["difference"].notna().all()
    one = study({"well": ["a", "b"], "severe": ["c", "d"]})
    one.obs["type"] = "B"
    for paired in (False, None):
        table = clr.get.composition_test(one, "type", "condition", unit="donor", paired=paired)
        assert table["p_value"].tolist() == [1.0]
    same = pd.concat([one.obs.assign(condition=c, donor=d) for c in ("x", "y") for d in "ab"])
    same.index = [f"c{i}" for i in range(len(same))]
    assert clr.get.composition_test(AnnData(obs=same), "type", "condition", unit="donor")["p_value"].tolist() == [1.0]


def test_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    low = 0
    for _ in range(60):
        share = rng.beta(2, 2, size=10)
        rows = [("BT"[int(rng.random() > share[i])], "ab"[i % 2], f"d{i}") for i in range(10) for _ in range(30)]
        obs = pd.DataFrame(rows, columns=["type", "condition", "donor"], index=[f"c{i}" for i in range(300)])
        table = clr.get.composition_test(AnnData(obs=obs), "type", "condition", unit="donor")
        low += bool(table["p_value"].iloc[0] < 0.1)
    assert low <= 12  # 6 expected; a test over cells finds more than 30


def test_errors_name_what_is_wrong() -> None:
    adata = study()
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.composition({}, "type", "condition")
    with pytest.raises(KeyError, match=r"`labels='foo'` is not a column of adata\.obs; found 'type'"):
        clr.get.composition(adata, "foo", "condition")
    with pytest.raises(KeyError, match="`unit='foo'`"):
        clr.get.composition_test(adata, "type", "condition", unit="foo")
    with pytest.raises(KeyError, match="`reference='foo'` is none of the groups; found 'well'"):
        clr.get.composition_test(adata, "type", "condition", unit="donor", reference="foo")
    adata.obs["empty"] = pd.Categorical([np.nan] * adata.n_obs, categories=["a"])
    with pytest.raises(ValueError, match=r"No cell has a label in adata\.obs\['empty'\], adata\.obs\['condition'\]"):
        clr.get.composition(adata, "empty", "condition")
    adata.obs["one"] = "same"
    with pytest.raises(ValueError, match=r"one group only \('same'\)"):
        clr.get.composition_test(adata, "type", "one", unit="donor")


@pytest.mark.parametrize("argument", ["labels", "groupby"])
def test_measurements_and_names_of_cells_are_no_groups(argument) -> None:
    adata = AnnData(obs=pd.DataFrame({"a": list("xy") * 50, "name": range(100)}, index=[f"c{i}" for i in range(100)]))
    columns = {"labels": "a", "groupby": "a", "unit": "a"} | {argument: "name"}
    with pytest.raises(ValueError, match=rf"obs\['name'\] \(`{argument}`\) holds a value of its own for 100 of 100"):
        clr.get.composition(adata, columns["labels"], columns["groupby"], unit=columns["unit"])


def test_groups_in_half_precision() -> None:
    adata = study(n=20)
    adata.obs["ill"] = (adata.obs["condition"] != "well").astype(np.float16)
    table = clr.get.composition(adata, "type", "ill")
    assert table["group"].cat.categories.tolist() == ["0.0", "1.0"]
    assert len(clr.get.composition(adata, "ill", "condition")) == 6
