"""Every public function meets every bad AnnData: it works, or says what is wrong and leaves the AnnData as it was."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import scclr_ext as clr
from anndata_state import freeze_adata
from hostile.cases import CASES
from hostile.judge import faults
from hostile.rows import ROWS

READ_ONLY = ("pl", "get", "io")

# A training of one step has learned nothing, as the call rightly says.
# What scikit-learn says of k-means on cells that coincide is true, and reaches the user as it is.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Do not trust:UserWarning"),
    pytest.mark.filterwarnings("ignore:Number of distinct clusters"),
    pytest.mark.filterwarnings("ignore:The contributions to"),
    pytest.mark.filterwarnings(r"ignore:adata lacks \d+ of the \d+ genes"),
    pytest.mark.filterwarnings("ignore:The graphs hardly agree"),
    pytest.mark.filterwarnings("ignore:The embedding was told of the batches"),
    pytest.mark.filterwarnings("ignore:The stages of"),
    pytest.mark.filterwarnings("ignore:.* of the query's cells (are farther|cannot be told)"),
]


def function_of(name: str) -> Any:
    subpackage, function = name.split(" ")[0].split(".")
    return getattr(getattr(clr, subpackage), function)


def try_it(name: str, adata: Any, *, harmless: bool = False, **options: Any) -> BaseException | None:
    """Call, and check what comes of it."""
    before = freeze_adata(adata) if isinstance(adata, ad.AnnData) else None
    try:
        ROWS[name].call(adata, **options)
    except Exception as error:  # noqa: BLE001  # whatever comes is judged
        assert not faults(error, function_of(name))
        assert before is None or before == freeze_adata(adata)
        assert not harmless, f"{type(error).__name__}: {error}"
        return error
    if name.startswith(READ_ONLY) and before is not None:
        assert before == freeze_adata(adata)
    return None


# A plot reads its data through its twin in `get`, which meets all cases, and costs ten times as much.
FOR_PLOTS = {
    "read_only",
    "no cells",
    "one cell",
    "a view of cells",
    "cells taken away since",
    "no AnnData but a dict",
    "a missing category",
    "one label for all",
    "a label for each",
    "foreign labels",
    "embedding with a NaN",
    "embedding all the same",
    "embedding of one dimension",
    "records empty",
    "no_records",
}
# What is harmless in general may take away just what a call names: genes of a network, the value of a root.
RENAMED = {"foreign names", "empty name", "long names"}
NAMED_IN_THE_CALL = {
    "get.gene_attribution": RENAMED,
    "tl.gene_attribution": RENAMED,
    "tl.map_query": RENAMED,
    "tl.contrastive_pseudotime": {
        "labels that are integers",
        "labels that are floats",
        "labels that are booleans",
        "foreign labels",
    },
}
PRODUCT = [
    pytest.param(name, case, id=f"{name}: {case}")
    for name, row in ROWS.items()
    for case, (_, concerns, _) in CASES.items()
    if concerns in {"anything", *row.concerns.split()} and (not name.startswith("pl.") or case in FOR_PLOTS)
]


@pytest.mark.parametrize(("name", "case"), PRODUCT)
def test_works_or_says_why_not(bases, name, case) -> None:
    change, _, harmless = CASES[case]
    adata = change(bases[ROWS[name].base].copy())
    error = try_it(name, adata, harmless=harmless and case not in NAMED_IN_THE_CALL.get(name, ()))
    if case.startswith("no AnnData"):
        assert isinstance(error, TypeError)


def test_the_cases_are_cases(bases) -> None:
    # A case that leaves the AnnData as it was would test nothing.
    fine = freeze_adata(bases["ready"])
    for case, (change, _, _) in CASES.items():
        changed = change(bases["ready"].copy())
        if isinstance(changed, ad.AnnData) and case != "csr_matrix":
            assert freeze_adata(changed) != fine, case


def test_anndata_lets_no_coo_matrix_in(bases) -> None:
    # So that none reaches us. Where this fails, COO matrices have become a case.
    with pytest.raises(ValueError, match="CSR and CSC"):
        bases["counts"].copy().X = sparse.coo_matrix(bases["counts"].X)


def test_what_is_fine_works(bases) -> None:
    for name, row in ROWS.items():
        assert try_it(name, bases[row.base].copy()) is None, name


@pytest.mark.parametrize("name", [name for name in ROWS if name.split(".")[0] in {"pp", "tl"}])
def test_a_copy_leaves_the_original(bases, name) -> None:
    adata = bases[ROWS[name].base].copy()
    before = freeze_adata(adata)
    assert isinstance(ROWS[name].call(adata, copy=True), ad.AnnData)
    assert freeze_adata(adata) == before


ON_VALUES = [name for name, row in ROWS.items() if "values" in row.concerns.split()]
STORED = [(name, sparse.csr_matrix) for name in ROWS] + [
    (n, k) for n in ON_VALUES for k in (np.array, sparse.csc_matrix)
]


@pytest.mark.parametrize(("name", "kind"), STORED)
def test_from_a_file(bases, tmp_path, name, kind) -> None:
    adata = bases[ROWS[name].base].copy()
    adata.X = kind(adata.X.toarray())
    adata.write_h5ad(path := tmp_path / "x.h5ad")
    written = path.read_bytes()
    backed = ad.read_h5ad(path, backed="r")
    before = freeze_adata(backed.to_memory())
    try:
        ROWS[name].call(backed)
    except Exception as error:  # noqa: BLE001  # whatever comes is judged
        assert not faults(error, function_of(name))
        assert freeze_adata(backed.to_memory()) == before
        assert not name.startswith(READ_ONLY), error
    finally:
        backed.file.close()
    assert path.read_bytes() == written  # opened for reading


@pytest.mark.parametrize("name", ["pp.contrastive_preprocess", "tl.contrastive_embed"])
def test_a_million_genes(name) -> None:
    n = 1_000_000
    rng = np.random.default_rng(0)
    x = sparse.csr_matrix(
        (rng.poisson(2, 4000).astype(np.float32) + 1, rng.integers(n, size=4000), np.linspace(0, 4000, 21).astype(int)),
        shape=(20, n),
    )
    adata = ad.AnnData(x)
    adata.obs["batch"] = ["a", "b"] * 10
    adata.var["highly_variable"] = np.arange(n) % 1000 == 0
    if name == "tl.contrastive_embed":
        adata.X.data *= 0.3
    assert try_it(name, adata) is None
