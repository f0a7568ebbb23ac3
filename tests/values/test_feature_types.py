"""Antibodies and peaks beside genes are told of."""

from __future__ import annotations

import pandas as pd
import pytest

import scclr_ext as clr
from scclr_ext._values.feature_types import no_genes

GENES, OTHERS = "Gene Expression", "Antibody Capture"


@pytest.mark.parametrize("kind", ["category", "str", "object"])
def test_what_is_no_gene(counts, kind) -> None:
    types = [OTHERS] * 3 + ["Peaks"] + [GENES] * (counts.n_vars - 4)
    counts.var["feature_types"] = pd.Series(types, index=counts.var_names, dtype=kind)
    found = no_genes(counts)
    assert "3 of 'Antibody Capture' and 1 of 'Peaks' beside 'Gene Expression'" in found
    with pytest.warns(UserWarning, match="Antibody Capture"):
        clr.pp.contrastive_preprocess(counts)
    names = {"adata": counts}
    exec(found.split(": ")[-1], names)  # what the message says
    assert names["adata"].n_vars == counts.n_vars - 4
    assert no_genes(names["adata"]) is None


@pytest.mark.parametrize("types", [[GENES], [OTHERS], [None], [GENES, "", "gene expression", None, "nan"]])
def test_all_of_a_kind_is_no_matter(counts, types) -> None:
    counts.var["feature_types"] = (types * counts.n_vars)[: counts.n_vars]
    assert no_genes(counts) is None


def test_without_the_column(counts) -> None:
    assert no_genes(counts) is None
