"""The simulated study holds what it promises, measured on the counts and not on the code that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

import scclr_ext as clr

if TYPE_CHECKING:
    from pathlib import Path

simulate = clr.datasets.simulate_covid_pbmc
ISG = ["ISG15", "IFI6", "IFIT1", "IFIT3", "MX1", "OAS1", "XAF1", "IFI44L"]
MHC2 = ["HLA-DRA", "HLA-DRB1", "HLA-DPA1", "HLA-DPB1", "HLA-DQB1", "CD74"]


@pytest.fixture(scope="module")
def study() -> ad.AnnData:
    return simulate(6000, 800)


def share(study: ad.AnnData, genes: list[str], cell_type: str = "CD14+ monocyte") -> pd.Series:
    """Share of these genes among the counts of a type, for each donor."""
    chosen = study[(study.obs["cell_type"] == cell_type) & ~study.obs["poor_quality"]]
    counts = pd.DataFrame(
        {"genes": np.asarray(chosen[:, genes].X.sum(1)).ravel(), "all": np.asarray(chosen.X.sum(1)).ravel()}
    )
    sums = counts.groupby(chosen.obs["donor"].to_numpy()).sum()
    return np.log2(sums["genes"] / sums["all"])


def differ(values: pd.Series, condition: str) -> tuple[float, float]:
    """Mean difference from healthy donors, and the p value of a test with donors as the units."""
    ill = values[values.index.str.startswith(condition[0].upper())]
    healthy = values[values.index.str.startswith("H")]
    return float(ill.mean() - healthy.mean()), float(stats.mannwhitneyu(ill, healthy).pvalue)


def composition(study: ad.AnnData) -> pd.DataFrame:
    return pd.crosstab(study.obs["donor"], study.obs["cell_type"], normalize="index")


def test_what_comes_back(study: ad.AnnData) -> None:
    assert study.shape == (6000, 800)
    assert isinstance(study.X, sparse.csr_matrix)
    assert study.X.dtype == np.float32
    assert study.obs["condition"].cat.categories.tolist() == ["healthy", "moderate", "severe"]
    assert study.obs["donor"].nunique() == 14
    assert study.obs.groupby("donor", observed=True)["condition"].nunique().eq(1).all()
    assert study.obs["donor"].value_counts().between(428, 429).all()
    assert study.var_names.is_unique
    for genes in (ISG, MHC2, ["S100A8", "S100A9", "MS4A1", "JCHAIN", "FCGR3A", "MT-CO1", "RPL3"]):
        assert study.var_names.isin(genes).sum() == len(genes)
    assert np.asarray(study.X.sum(1)).mean() == pytest.approx(2000, rel=0.25)


@pytest.mark.parametrize("cell_type", ["NK cell", "CD16+ monocyte", "plasmacytoid dendritic cell", "dendritic cell"])
def test_depleted(study: ad.AnnData, cell_type: str) -> None:
    found = composition(study)[cell_type]
    (moderate, _), (severe, p_severe) = differ(found, "moderate"), differ(found, "severe")
    assert severe < 0
    assert moderate < 0
    assert p_severe < 0.05


def test_plasmablasts_expand_most_in_severe_disease(study: ad.AnnData) -> None:
    found = composition(study)["plasmablast"]
    (moderate, p_moderate), (severe, p_severe) = differ(found, "moderate"), differ(found, "severe")
    assert severe > moderate > 0
    assert max(p_moderate, p_severe) < 0.05


def test_shares_are_those_written_down(study: ad.AnnData) -> None:
    record = study.uns["simulation"]
    assert record["cell_types"].tolist() == study.obs["cell_type"].cat.categories.tolist()
    by_donor = composition(study)
    for condition, expected in record["shares"].items():
        assert expected.sum() == pytest.approx(1)
        found = by_donor[by_donor.index.str.startswith(condition[0].upper())]
        # Dirichlet of concentration 300, and about 429 cells, in each donor
        error = np.sqrt(expected * (1 - expected) * (1 / 301 + 1 / 429) / len(found))
        z = (found.mean().to_numpy() - expected) / error
        assert np.abs(z).max() < 4.5


def test_cd14_monocytes(study: ad.AnnData) -> None:
    isg, mhc2, alarmins = (share(study, genes) for genes in (ISG, MHC2, ["S100A8", "S100A9"]))
    (moderate, p_moderate), (severe, p_severe) = differ(isg, "moderate"), differ(isg, "severe")
    assert moderate > severe + 0.7 > 1.2
    assert max(p_moderate, p_severe) < 0.05
    (moderate, p_moderate), (severe, p_severe) = differ(mhc2, "moderate"), differ(mhc2, "severe")
    assert severe < moderate < -0.4
    assert max(p_moderate, p_severe) < 0.05
    (moderate, _), (severe, p_severe) = differ(alarmins, "moderate"), differ(alarmins, "severe")
    assert severe > moderate + 0.7
    assert p_severe < 0.05


def test_cytokines_do_not_change(study: ad.AnnData) -> None:
    for condition in ("moderate", "severe"):
        assert abs(differ(share(study, ["IL1B", "IL2", "IL6", "IL10", "TNF"]), condition)[0]) < 0.5


def test_changes_are_those_written_down(study: ad.AnnData) -> None:
    genes = study.var["program"].isin(["isg", "mhc2", "mhc1", "alarmin", "activation"]).to_numpy()
    chosen = study[(study.obs["cell_type"] == "CD14+ monocyte") & ~study.obs["poor_quality"]]
    shares = {}
    for condition in ("healthy", "moderate", "severe"):
        total = np.asarray(chosen[chosen.obs["condition"] == condition].X.sum(0)).ravel()
        shares[condition] = (total / total.sum())[genes]
    for condition in ("moderate", "severe"):
        found = np.log2(shares[condition] / shares["healthy"])
        expected = study.var.loc[genes, f"cd14_log2fc_{condition}"]
        assert np.corrcoef(found, expected)[0, 1] > 0.95
        assert np.mean(found - expected) == pytest.approx(0, abs=0.25)


def test_markers_mark(study: ad.AnnData) -> None:
    assert study.var.loc["MS4A1", "marker_of"] == "B cell"
    assert study.var.loc["FCGR3A", "marker_of"] == "CD16+ monocyte; NK cell"
    healthy = study[(study.obs["condition"] == "healthy") & ~study.obs["poor_quality"]]
    for gene, types in (("MS4A1", ["B cell"]), ("CD3D", ["CD4+ T cell", "CD8+ T cell"]), ("PPBP", ["platelet"])):
        means = pd.Series(healthy[:, gene].X.toarray().ravel()).groupby(healthy.obs["cell_type"].to_numpy()).mean()
        assert set(means.nlargest(len(types)).index) == set(types)
        assert means[types].min() > 5 * means.drop(types).max()


def test_damaged_cells_show(study: ad.AnnData) -> None:
    poor = study.obs["poor_quality"].to_numpy()
    assert stats.binomtest(int(poor.sum()), len(poor), 0.023).pvalue > 0.01
    total = np.asarray(study.X.sum(1)).ravel()
    mitochondrial = np.asarray(study[:, study.var_names.str.startswith("MT-")].X.sum(1)).ravel() / total
    assert np.median(total[poor]) < 0.4 * np.median(total[~poor])
    assert np.median(mitochondrial[poor]) > 2.5 * np.median(mitochondrial[~poor])


def test_without_effect_conditions_are_alike() -> None:
    null = simulate(3000, 500, effect=0.0, donor_effect=0.0)
    assert (null.var[["cd14_log2fc_moderate", "cd14_log2fc_severe"]].abs() < 1e-12).all(axis=None)
    shares = list(null.uns["simulation"]["shares"].values())
    np.testing.assert_allclose(shares[1:], [shares[0]] * 2)
    for genes in (ISG, MHC2):
        assert abs(differ(share(null, genes), "moderate")[0]) < 0.25


def test_the_seed_decides() -> None:
    first, again, other = simulate(200, 300), simulate(200, 300, n_jobs=2), simulate(200, 300, random_state=1)
    assert (first.X != again.X).nnz == 0
    assert first.obs.equals(again.obs)
    assert (first.X != other.X).nnz > 0


def test_other_numbers_of_donors() -> None:
    study = simulate(100, 300, n_donors=(2, 0, 3))
    assert study.obs["donor"].cat.categories.tolist() == ["H1", "H2", "S1", "S2", "S3"]


def test_survives_a_file(tmp_path: Path) -> None:
    study = simulate(100, 300)
    study.write_h5ad(tmp_path / "study.h5ad")
    read = ad.read_h5ad(tmp_path / "study.h5ad")
    pd.testing.assert_frame_equal(read.var, study.var, check_names=False)
    assert read.uns["simulation"]["cell_types"].tolist() == study.uns["simulation"]["cell_types"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_genes": 100}, "n_genes"),
        ({"n_genes": 10_000}, "n_genes"),
        ({"n_cells": 0}, "n_cells"),
        ({"n_cells": 5}, "n_donors"),
        ({"n_donors": (0, 0, 0)}, "n_donors"),
        ({"n_donors": (1, 2)}, "n_donors"),
        ({"n_donors": (1, -2, 3)}, "n_donors"),
        ({"effect": -1.0}, "effect"),
        ({"donor_effect": -1.0}, "donor_effect"),
        ({"effect": np.inf}, "effect"),
        ({"donor_effect": np.nan}, "donor_effect"),
        ({"effect": 600.0}, "effect"),
        ({"donor_effect": 10.1}, "donor_effect"),
        ({"poor_quality": 1.5}, "poor_quality"),
        ({"random_state": 0.5}, "random_state"),
    ],
)
def test_bad_parameters_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"`{message}"):
        simulate(**options)
