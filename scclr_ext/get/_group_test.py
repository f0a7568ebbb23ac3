"""Do groups differ, with one value per donor? Rank tests, since a handful of donors shows no distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from scclr_ext._anndata import names
from scclr_ext._warn import warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FEWEST = 2
_ARRANGEMENTS = 20_000
"""Of the values over the groups: up to so many are gone through one by one."""
_DIGITS = 12
"""Shares of cells that are as far apart must be ties, whatever rounding makes of them."""


class Comparison(NamedTuple):
    """One test, and what it was done on."""

    comparison: str
    test: str
    n_units: int
    difference: float
    statistic: float
    p_value: float


def decide_pairing(tables: Sequence[pd.DataFrame], *, paired: bool | None) -> list[bool]:
    """Pair where every unit is in every group; say so once where only some are. Called by the public functions."""
    if paired and not any((values.notna().sum(axis=1) > 1).any() for values in tables):
        msg = "`paired=True`, but no unit (donor) is in more than one group; leave `paired` out."
        raise ValueError(msg)
    if paired is not None:
        return [paired] * len(tables)
    complete = [bool(values.notna().all(axis=None)) for values in tables]
    if any(
        not whole and (values.notna().sum(axis=1) > 1).any() for whole, values in zip(complete, tables, strict=True)
    ):
        warn(
            "Some units (donors) are in several groups and others are not: all are tested as if they were different "
            "ones. Give paired=True to compare only those that are in every group, each with itself."
        )
    return [whole and values.shape[1] > 1 for whole, values in zip(complete, tables, strict=True)]


def compare_groups(values: pd.DataFrame, *, reference: str | None, paired: bool) -> list[Comparison]:
    """Test one table of values, units (donors) by groups (conditions), NaN where a unit is not in a group.

    Parameters
    ----------
    values
        One value per unit and group.
    reference
        Test every other group against this one. None tests all groups at once.
    paired
        Compare a unit with itself, leaving out those that are not in all groups compared.

    Raises
    ------
    KeyError
        Where there is no such reference.
    ValueError
        Where there is one group only.
    """
    if values.shape[1] < 2:
        msg = f"`groupby` names one group only ({values.columns[0]!r}); give a column with two or more to compare."
        raise ValueError(msg)
    if reference is None:
        return [_compare(values, paired=paired)]
    reference = str(reference)
    if reference not in values:
        msg = f"`reference={reference!r}` is none of the groups; found {names(values)}."
        raise KeyError(msg)
    return [_compare(values[[group, reference]], paired=paired) for group in values if group != reference]


def tabulate(comparisons: Iterable[tuple[dict[str, object], Comparison]]) -> pd.DataFrame:
    """Put labelled comparisons in a table, and correct all their p-values together (Benjamini-Hochberg)."""
    table = pd.DataFrame([{**labels, **comparison._asdict()} for labels, comparison in comparisons])
    adjusted = np.full(len(table), np.nan)
    known = table["p_value"].notna().to_numpy()
    if known.any():
        adjusted[known] = stats.false_discovery_control(table.loc[known, "p_value"])
    return table.assign(p_adjusted=adjusted)


def _compare(values: pd.DataFrame, *, paired: bool) -> Comparison:
    values = values[values.notna().all(axis=1)] if paired else values[values.notna().any(axis=1)]
    samples = [values[group].dropna().to_numpy(dtype=float).round(_DIGITS) for group in values]
    test = ("Wilcoxon" if len(samples) == 2 else "Friedman") if paired else _unpaired_name(len(samples))
    statistic, p_value = np.nan, np.nan
    if min(map(len, samples)) >= _FEWEST:
        statistic, p_value = _run(test, samples)
    return Comparison(
        comparison=f"{values.columns[0]} vs {values.columns[1]}" if len(samples) == 2 else ", ".join(map(str, values)),
        test=test,
        n_units=len(values),
        difference=_difference(samples, paired=paired) if len(samples) == 2 else np.nan,
        statistic=float(statistic),
        p_value=float(p_value),
    )


def _unpaired_name(n_groups: int) -> str:
    return "Mann-Whitney" if n_groups == 2 else "Kruskal-Wallis"


def _run(test: str, samples: list[np.ndarray]) -> tuple[float, float]:
    flat = np.concatenate(samples)
    if (flat == flat[0]).all() or (test in {"Wilcoxon", "Friedman"} and all((s == samples[0]).all() for s in samples)):
        return np.nan, 1.0  # SciPy refuses, or divides by the spread that is not there
    if test == "Mann-Whitney":
        return tuple(stats.mannwhitneyu(*samples, alternative="two-sided", method=_exactly(flat, len(samples[0]))))
    if test == "Wilcoxon":
        differences = (samples[0] - samples[1]).round(_DIGITS)
        return tuple(stats.wilcoxon(differences, method=_exactly_paired(differences)))
    paired = test == "Friedman"
    statistic, p_value = (stats.friedmanchisquare if paired else stats.kruskal)(*samples)
    sizes = [len(sample) for sample in samples]
    if (math.factorial(len(samples)) ** sizes[0] if paired else _partitions(sizes)) <= _ARRANGEMENTS:
        p_value = _exact_of_several(samples, paired=paired)
    return statistic, p_value


def _partitions(sizes: list[int]) -> int:
    """Count the ways to part values into groups of these sizes."""
    return math.prod(math.comb(sum(sizes[: i + 1]), size) for i, size in enumerate(sizes))


def _exact_of_several(samples: list[np.ndarray], *, paired: bool) -> float:
    """Go through all arrangements of the ranks; SciPy's own two tests have the chi-squared curve only."""
    if paired:
        ranks = list(stats.rankdata(samples, axis=0))
    else:
        ranks = np.split(stats.rankdata(np.concatenate(samples)), np.cumsum([len(sample) for sample in samples])[:-1])

    def spread(*groups: np.ndarray, axis: int) -> np.ndarray:  # rises and falls with either statistic
        return sum(group.sum(axis=axis) ** 2 / group.shape[axis] for group in groups)

    kind = "samples" if paired else "independent"
    found = stats.permutation_test(
        ranks, spread, permutation_type=kind, alternative="greater", n_resamples=_ARRANGEMENTS, vectorized=True
    )
    return float(found.pvalue)


def _exactly(values: np.ndarray, n_first: int) -> stats.PermutationMethod | str:
    """Let SciPy count the arrangements of tied values, too: with few donors its normal curve promises too much."""
    tied = len(np.unique(values)) < len(values)
    if tied and math.comb(len(values), n_first) <= _ARRANGEMENTS:
        return stats.PermutationMethod(n_resamples=_ARRANGEMENTS)
    return "auto"


def _exactly_paired(differences: np.ndarray) -> stats.PermutationMethod | str:
    """Let SciPy go through all signs where differences are tied or none, of which older versions take the curve."""
    sizes = np.abs(differences[differences != 0])
    odd = len(sizes) < len(differences) or len(np.unique(sizes)) < len(sizes)
    if odd and 2 ** len(differences) <= _ARRANGEMENTS:
        return stats.PermutationMethod(n_resamples=_ARRANGEMENTS)
    return "auto"


def _difference(samples: list[np.ndarray], *, paired: bool) -> float:
    if not all(map(len, samples)):
        return np.nan
    if paired:
        return float(np.median(samples[0] - samples[1]))
    return float(np.median(samples[0]) - np.median(samples[1]))
