"""The genes of the simulated study, and how strongly each type of each donor expresses them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scclr_ext.datasets._checks import at_least
from scclr_ext.datasets._factors import gene_means, lognormal_factors
from scclr_ext.datasets._pbmc_atlas import (
    CD14,
    CELL_TYPES,
    MITOCHONDRIAL,
    MITOCHONDRIAL_LEVEL,
    OFF,
    PROGRAMS,
    RIBOSOMAL,
    RIBOSOMAL_LEVEL,
    Program,
)
from scclr_ext.datasets._random import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

TYPES = tuple(CELL_TYPES)
_GENES_PLACED = tuple(
    dict.fromkeys(
        (
            *(gene for program in PROGRAMS.values() for gene in program.genes),
            *(gene for cell_type in CELL_TYPES.values() for gene in cell_type.markers),
            *RIBOSOMAL,
            *MITOCHONDRIAL,
        )
    )
)
_DONOR_PROGRAM = 0.2
"""Standard deviation, in doublings, of how strongly a donor shows a program."""
_BACKGROUND = 1.0
"""Mean level of the genes that were not placed by hand."""


class Genes(NamedTuple):
    """Names of the simulated genes, and the places of each."""

    names: list[str]
    where: dict[str, int]

    def at(self, chosen: tuple[str, ...]) -> list[int]:
        """Return the places of some genes."""
        return [self.where[name] for name in chosen]


def choose_genes(n_genes: int) -> Genes:
    """Take the genes that findings are about, and of the others as many as are asked for.

    Raises
    ------
    ValueError
        Where that is fewer than the former, or more than there are.
    """
    at_least(1, n_genes=n_genes)
    background = files("scclr_ext.datasets").joinpath("_background_symbols.txt").read_text(encoding="utf-8").split()
    most = len(_GENES_PLACED) + len(background)
    if not len(_GENES_PLACED) <= n_genes <= most:
        msg = f"`n_genes` must be from {len(_GENES_PLACED)} to {most}; found {n_genes}."
        raise ValueError(msg)
    names = [*_GENES_PLACED, *background[: n_genes - len(_GENES_PLACED)]]
    return Genes(names, {name: i for i, name in enumerate(names)})


def _of(table: dict[str, float], key: str) -> float:
    return table.get(key, table["*"])


def healthy_profiles(genes: Genes, random_state: int) -> NDArray[np.float64]:
    """Return the expression of each type in healthy donors, types by genes."""
    n = len(genes.names)
    background = gene_means(
        n, generator(random_state, 10), shape=0.6, rate=0.3, out_prob=0.01, out_facloc=3.0, out_facscale=0.5
    ).mean
    background *= _BACKGROUND / background.mean()
    rng = generator(random_state, 11)
    lineages = {cell_type.lineage: _differ(n, rng, 0.10) for cell_type in CELL_TYPES.values()}
    profiles = np.empty((len(TYPES), n))
    for row, (name, cell_type) in zip(profiles, CELL_TYPES.items(), strict=True):
        row[:] = background * lineages[cell_type.lineage] * _differ(n, rng, 0.06)
        row[genes.at(_GENES_PLACED)] = OFF
        row[genes.at(RIBOSOMAL)] = _of(RIBOSOMAL_LEVEL, cell_type.lineage)
        row[genes.at(MITOCHONDRIAL)] = MITOCHONDRIAL_LEVEL
        for program in PROGRAMS.values():
            row[genes.at(program.genes)] = [
                _of(program.level, name) * program.levels.get(g, 1.0) for g in program.genes
            ]
        markers = tuple(cell_type.markers)
        row[genes.at(markers)] = np.maximum(row[genes.at(markers)], list(cell_type.markers.values()))
    return profiles


def _differ(n: int, rng: np.random.Generator, prob: float) -> NDArray[np.float64]:
    return lognormal_factors(n, rng, prob=prob, down_prob=0.5, loc=0.3, scale=0.5)


def _log2fc(program: Program, cell_type: str, condition: int) -> float:
    change = program.log2fc.get(cell_type, program.log2fc.get("*"))
    return 0.0 if change is None or condition == 0 else change[condition - 1]


def ill_profiles(profiles: NDArray[np.float64], genes: Genes, condition: int, effect: float) -> NDArray[np.float64]:
    """Apply the programs of a condition to all types."""
    changed = profiles.copy()
    for row, name in zip(changed, TYPES, strict=True):
        for program in PROGRAMS.values():
            row[genes.at(program.genes)] *= 2 ** (_log2fc(program, name, condition) * effect)
    return changed


def donor_profiles(
    healthy: NDArray[np.float64],
    genes: Genes,
    condition_of_donor: NDArray[np.int64],
    effect: float,
    donor_effect: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the expression of each type in each donor, of shape ``(donors, types, genes)``."""
    profiles = []
    for condition in condition_of_donor:
        profile = ill_profiles(healthy, genes, condition, effect)
        profile *= np.exp(rng.normal(0, donor_effect, profile.shape[1]))
        scatter = rng.normal(0, _DONOR_PROGRAM, len(PROGRAMS)) * (donor_effect > 0)
        for program, doublings in zip(PROGRAMS.values(), scatter, strict=True):
            profile[:, genes.at(program.genes)] *= 2**doublings
        profiles.append(profile)
    return np.stack(profiles)


def gene_table(genes: Genes, by_condition: NDArray[np.float64]) -> pd.DataFrame:
    """Say what each gene is for, and how CD14+ monocytes change it; profiles are conditions by types by genes."""
    program = pd.Series("background", index=genes.names)
    program[list(RIBOSOMAL)] = "ribosomal"
    program[list(MITOCHONDRIAL)] = "mitochondrial"
    marker_of: dict[str, list[str]] = {}
    for name, cell_type in CELL_TYPES.items():
        for gene in cell_type.markers:
            marker_of.setdefault(gene, []).append(name)
            program[gene] = "marker"
    for name, members in PROGRAMS.items():
        program[list(members.genes)] = name
    share = by_condition[:, TYPES.index(CD14)]
    share = share / share.sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "program": pd.Categorical(program),
            "marker_of": ["; ".join(marker_of.get(gene, [])) for gene in genes.names],
            "cd14_log2fc_moderate": np.log2(share[1] / share[0]),
            "cd14_log2fc_severe": np.log2(share[2] / share[0]),
        },
        index=genes.names,
    )
