"""Types that only one batch has: which cells are taken, and what the scores say of embeddings with a known answer."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

missing = pytest.importorskip("benchmarks.missing.__main__", reason="the benchmarks are not part of the source archive")
neighborhoods = missing.neighborhoods


@pytest.fixture
def adata() -> ad.AnnData:
    sizes = {"T": 90, "B": 80, "NK": 70, "DC": 9}
    types = np.concatenate([np.repeat(list(sizes), list(sizes.values())) for _ in "ab"])
    obs = pd.DataFrame({"cell_type": types, "batch": np.repeat(["a", "b"], 249)}).astype("category")
    return ad.AnnData(np.zeros((498, 1), dtype=np.float32), obs=obs.set_index(obs.index.astype(str)))


@pytest.mark.parametrize(
    ("case", "gone"),
    [
        ("most frequent", {("T", "b")}),
        ("second", {("B", "b")}),
        ("third", {("NK", "b")}),
        ("both", {("T", "b"), ("B", "a")}),
    ],
)
def test_which_cells_are_taken(adata, case, gone) -> None:
    left = missing.without(adata, case).obs.groupby(["cell_type", "batch"], observed=False).size()
    assert set(left.index[left == 0]) == gone
    assert left[left > 0].isin([90, 80, 70, 9]).all()


def test_sets_that_cannot_be_used(adata) -> None:
    assert missing.without(adata[adata.obs["batch"] == "a"].copy(), "both") is None
    assert missing.without(adata[adata.obs["cell_type"] != "NK"].copy(), "both") is None
    del adata.obs["batch"]
    assert missing.without(adata, "both") is None


def test_scores_of_known_answers(adata) -> None:
    adata = missing.without(adata, "both")
    types, batches = (adata.obs[key].to_numpy().astype(str) for key in ("cell_type", "batch"))
    noise = np.random.default_rng(0).normal(size=(len(types), 2))
    apart = 100 * pd.get_dummies(types).to_numpy(float)[:, :2] + noise + 100 * (types == "NK")[:, None]
    perfect = neighborhoods(apart, types, batches)
    assert perfect["alone"] == perfect["shared"] == 1
    assert perfect["mixed"] == pytest.approx(1, abs=0.1)
    with_effect = neighborhoods(apart + 1000 * (batches == "b")[:, None], types, batches)
    assert with_effect == pytest.approx({"alone": 1, "shared": 1, "mixed": 0})
    merged = neighborhoods(np.where(np.isin(types, ["T", "B"])[:, None], noise, apart), types, batches)
    assert merged["alone"] == pytest.approx(0.5, abs=0.05)
    assert merged["shared"] == 1
