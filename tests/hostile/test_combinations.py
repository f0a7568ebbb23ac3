"""Troubles rarely come alone: random combinations of the cases, on every public function (property-based)."""

from __future__ import annotations

import warnings

import anndata as ad
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import scclr_ext as clr
from anndata_state import freeze_adata
from hostile.cases import CASES
from hostile.judge import faults
from hostile.rows import ROWS

CHEAP = [name for name in ROWS if not name.startswith("pl.")]

SAID_RIGHTLY = (
    "Do not trust",
    "(Observation|Variable) names are not unique",
    "Number of distinct clusters",
    "The contributions to",
    "The graphs hardly",
    "The embedding was told of the batches",
    "The stages of",
    ".* of the query's cells (are farther|cannot be told)",
    r"adata lacks \d+ of the \d+ genes",
)
pytestmark = pytest.mark.filterwarnings(*(f"ignore:{words}" for words in SAID_RIGHTLY))


def combine(adata: ad.AnnData, cases: list[str]) -> ad.AnnData:
    """Apply one case after the other; what cannot be combined is no example."""
    for case in cases:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # anndata's own opinion of the cases
                adata = CASES[case].change(adata)
        except Exception:  # noqa: BLE001  # a case that another has made impossible
            assume(False)
        assume(isinstance(adata, ad.AnnData))
        assume(adata.X is None or adata.X.shape == adata.shape)  # pandas lets a column lengthen an empty frame
    return adata


@pytest.mark.parametrize("name", CHEAP)
@given(cases=st.lists(st.sampled_from(sorted(CASES)), min_size=2, max_size=4, unique=True))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_works_or_says_why_not(bases, name, cases) -> None:
    adata = combine(bases[ROWS[name].base].copy(), cases)
    before = freeze_adata(adata)
    subpackage, function = name.split(" ")[0].split(".")
    try:
        ROWS[name].call(adata)
    except Exception as error:  # noqa: BLE001  # whatever comes is judged
        assert not faults(error, getattr(getattr(clr, subpackage), function))
        assert freeze_adata(adata) == before
    else:
        if subpackage in {"get", "io"}:
            assert freeze_adata(adata) == before
