"""A study of blood cells in three conditions, whose every finding is known beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scclr_ext._checks import check_random_state, check_share
from scclr_ext.datasets._assemble import assemble
from scclr_ext.datasets._blocks import Plan
from scclr_ext.datasets._checks import at_least, at_most, finite
from scclr_ext.datasets._covid_profiles import (
    TYPES,
    choose_genes,
    donor_profiles,
    gene_table,
    healthy_profiles,
    ill_profiles,
)
from scclr_ext.datasets._factors import bcv_factors
from scclr_ext.datasets._pbmc_atlas import CELL_TYPES, CONDITIONS, MITOCHONDRIAL
from scclr_ext.datasets._random import generator

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_DONOR_SHARES = 300.0
"""Concentration of the Dirichlet distribution of a donor's composition: the higher, the more alike the donors."""
_POOR_LIBRARY, _POOR_MITOCHONDRIAL = 0.25, 8.0
_STRONGEST = 10.0


def simulate_covid_pbmc(
    n_cells: int = 6000,
    n_genes: int = 2500,
    *,
    n_donors: tuple[int, int, int] = (6, 4, 4),
    effect: float = 1.0,
    donor_effect: float = 0.12,
    poor_quality: float = 0.023,
    n_jobs: int = 1,
    random_state: int = 0,
) -> AnnData:
    """Simulate blood cells of healthy, moderately and severely ill donors after the COVID-19 study of Wilk et al.

    The study behind CLEAR's case study (:func:`scclr_ext.datasets.wilk2020_covid`) found, against healthy donors: more
    plasmablasts; fewer NK cells, dendritic cells of both kinds and CD16+ monocytes; in CD14+ monocytes
    interferon-stimulated genes up, most of all in moderate disease, MHC genes down, S100A8 and S100A9 up in severe
    disease, and no sign of the cytokines of a storm. All of this is put into the data, and is written down in it, so
    that an analysis can be checked. It says nothing about COVID-19.

    Parameters
    ----------
    n_cells
        Number of cells, about the same from each donor.
    n_genes
        Number of genes. Markers, programs, ribosomal and mitochondrial genes (236) are always there. The others carry
        real symbols, but their expression is random: it differs between donors and types, and not with the condition.
    n_donors
        Healthy, moderately and severely ill donors.
    effect
        Scales everything that changes with the condition, up to 10; 0 makes ill donors like healthy ones.
    donor_effect
        How much donors differ in each gene: standard deviation of the log of a factor, up to 10.
    poor_quality
        Share of damaged cells, with few counts and many mitochondrial ones.
    n_jobs
        Threads that draw counts.
    random_state
        Seed of everything random.

    Returns
    -------
    Counts as a sparse matrix (CSR, float32), about 2 000 per cell, with the truth beside them:

    `obs["cell_type"]`, `obs["donor"]`, `obs["condition"]`
        What the cell is, and where it comes from: donors are ``H1``, ..., ``M1``, ..., ``S1``, ....
    `obs["poor_quality"]`
        Whether the cell is damaged.
    `obs["expected_library_size"]`
        What the cell's counts add up to on average.
    `var["program"]`
        ``isg``, ``mhc1``, ``mhc2``, ``alarmin``, ``activation``, ``cytokine``, ``marker``, ``ribosomal``,
        ``mitochondrial`` or ``background``.
    `var["marker_of"]`
        The types the gene marks, separated by ``"; "``.
    `var["cd14_log2fc_moderate"]`, `var["cd14_log2fc_severe"]`
        By how much a gene's share of a CD14+ monocyte's counts changes against healthy donors (log2), donors' own
        differences aside.
    `uns["simulation"]`
        Parameters; `cell_types` and, in `shares`, the expected share of each in each condition.

    Raises
    ------
    ValueError
        Where a number is out of its range.

    Notes
    -----
    Counts are drawn by the Splat model, as in :func:`scclr_ext.datasets.simulate_cells`. Shares, markers and effects
    were set by hand after the literature; none was estimated from data.

    References
    ----------
    Wilk et al. (2020), *Nature Medicine* 26:1070-1076; Han et al. (2022), section on COVID-19; Zappia et al. (2017) for
    the model.

    Examples
    --------
    >>> import scclr_ext as clr
    >>> adata = clr.datasets.simulate_covid_pbmc(300, 500)
    >>> adata.obs["condition"].cat.categories.tolist()
    ['healthy', 'moderate', 'severe']
    >>> adata.var.loc["IFI6", "program"]
    'isg'
    """
    random_state = check_random_state(random_state)
    at_least(1, n_jobs=n_jobs)
    finite(effect=effect, donor_effect=donor_effect)
    at_least(0.0, effect=effect, donor_effect=donor_effect)
    at_most(_STRONGEST, effect=effect, donor_effect=donor_effect)
    check_share(poor_quality=poor_quality)
    genes = choose_genes(n_genes)
    condition_of_donor = _donors(n_donors, n_cells)

    healthy = healthy_profiles(genes, random_state)
    by_condition = np.stack([ill_profiles(healthy, genes, i, effect) for i in range(len(CONDITIONS))])
    profiles = donor_profiles(healthy, genes, condition_of_donor, effect, donor_effect, generator(random_state, 12))
    cells = _cells(n_cells, condition_of_donor, effect, poor_quality, generator(random_state, 13))

    poor = np.ones(n_genes)
    poor[genes.at(MITOCHONDRIAL)] = _POOR_MITOCHONDRIAL
    plan = Plan(
        states=profiles.reshape(-1, n_genes).astype(np.float32),
        batches=np.stack([np.ones(n_genes), poor]).astype(np.float32),
        state=cells["donor"].to_numpy() * len(TYPES) + cells["cell_type"].to_numpy(),
        batch=cells["poor_quality"].to_numpy().astype(np.int64),
        library_size=cells["expected_library_size"].to_numpy().astype(np.float32),
        bcv_common=0.1,
        bcv_factor=bcv_factors(n_genes, 60.0, generator(random_state, 14)),
        seed=random_state,
    )
    return assemble(
        plan,
        obs=_obs(cells, condition_of_donor),
        var=gene_table(genes, by_condition),
        record={
            "model": "covid_pbmc",
            "n_cells": n_cells,
            "n_genes": n_genes,
            "n_donors": np.asarray(n_donors),
            "effect": effect,
            "donor_effect": donor_effect,
            "poor_quality": poor_quality,
            "random_state": random_state,
            "cell_types": np.array(TYPES),
            "shares": dict(zip(CONDITIONS, _shares(effect), strict=True)),
        },
        chunk_size=2048,
        n_jobs=n_jobs,
    )


def _donors(n_donors: tuple[int, int, int], n_cells: int) -> NDArray[np.int64]:
    """Return the condition of each donor."""
    if len(n_donors) != len(CONDITIONS):
        msg = f"`n_donors` must be three numbers (healthy, moderate, severe); found {n_donors!r}."
        raise ValueError(msg)
    at_least(0, **{f"n_donors[{i}]": n for i, n in enumerate(n_donors)})
    total = sum(n_donors)
    at_least(1, n_cells=n_cells)
    if not 0 < total <= n_cells:
        msg = (
            f"`n_donors` must be at least one donor, and no more than there are cells ({n_cells}); found {n_donors!r}."
        )
        raise ValueError(msg)
    return np.repeat(np.arange(len(CONDITIONS)), n_donors)


def _shares(effect: float) -> NDArray[np.float64]:
    """Return the expected share of each type in each condition, conditions by types."""
    shares = np.array([cell_type.shares for cell_type in CELL_TYPES.values()]).T
    shares = shares[0] * (shares / shares[0]) ** effect
    return shares / shares.sum(axis=1, keepdims=True)


def _cells(
    n_cells: int, condition_of_donor: NDArray[np.int64], effect: float, poor_quality: float, rng: np.random.Generator
) -> pd.DataFrame:
    n_donors = len(condition_of_donor)
    donor = np.arange(n_cells) * n_donors // n_cells
    shares = _shares(effect)
    composition = np.stack([rng.dirichlet(shares[condition] * _DONOR_SHARES) for condition in condition_of_donor])
    ends = np.cumsum(composition, axis=1)
    ends[:, -1] = 1.0
    cell_type = (rng.random(n_cells)[:, None] >= ends[donor]).sum(axis=1)
    poor = rng.random(n_cells) < poor_quality
    size = np.array([t.size for t in CELL_TYPES.values()])[cell_type] * np.where(poor, _POOR_LIBRARY, 1.0)
    depth = rng.normal(7.6, 0.12, n_donors)[donor] + rng.normal(0, 0.35, n_cells)
    return pd.DataFrame(
        {"donor": donor, "cell_type": cell_type, "poor_quality": poor, "expected_library_size": size * np.exp(depth)}
    )


def _obs(cells: pd.DataFrame, condition_of_donor: NDArray[np.int64]) -> pd.DataFrame:
    number = pd.Series(condition_of_donor).groupby(condition_of_donor).cumcount() + 1
    donors = [f"{CONDITIONS[c][0].upper()}{n}" for c, n in zip(condition_of_donor, number, strict=True)]
    return pd.DataFrame(
        {
            "cell_type": pd.Categorical.from_codes(cells["cell_type"], categories=list(TYPES)),
            "donor": pd.Categorical.from_codes(cells["donor"], categories=donors),
            "condition": pd.Categorical.from_codes(condition_of_donor[cells["donor"]], categories=list(CONDITIONS)),
            "poor_quality": cells["poor_quality"].to_numpy(),
            "expected_library_size": cells["expected_library_size"].to_numpy(),
        }
    ).set_axis([f"cell{i}" for i in range(len(cells))])
