"""A method is one file and one row: what is written here goes through the whole package, which knows nothing of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest
import torch

import scclr_ext as clr
from scclr_ext.engine.augment import Mask, Views
from scclr_ext.engine.config import MethodConfig
from scclr_ext.engine.encoders import mlp
from scclr_ext.engine.losses import nt_xent, unit_rows
from scclr_ext.engine.methods import METHODS, Method, Recipe, StepOutput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class PlainConfig(MethodConfig):
    """A network of one layer."""

    steps: int | None = 20
    batch_size: int = 32
    embedding_dim: int = 8


class Plain(Method[PlainConfig]):
    """SimCLR with masks."""

    def __init__(self, config, data, generator) -> None:
        super().__init__(config, data)
        self.views = Views([Mask(0.5)])
        self.encoder = mlp((data.n_genes, config.embedding_dim), generator)

    def forward(self, x, generator, partner=None, batches=None) -> StepOutput:
        pair = (self.scaling(x), self.scaling(x if partner is None else partner))
        first, second = (self.gather(unit_rows(self.encoder(self.views(cells, generator)))) for cells in pair)
        chance = first.new_full((), math.log(2 * len(first) - 1))
        return StepOutput(nt_xent(first, second, self.config.temperature), first, second, chance)

    def represent(self, x: Tensor) -> Tensor:
        return self.encoder(self.scaling(x))


ROW = {"presets": {"default": PlainConfig(), "paper": PlainConfig(steps=30)}, "recipe": Recipe(n_top_genes=30)}


@pytest.fixture
def plain(monkeypatch) -> None:
    monkeypatch.setitem(METHODS, "plain", type(METHODS["clear"])(PlainConfig, Plain, **ROW))


@pytest.fixture
def counts() -> ad.AnnData:
    rng = np.random.default_rng(0)
    types = np.arange(90) % 3
    means = rng.gamma(1.0, 1.0, (3, 60))[types]
    adata = ad.AnnData(rng.poisson(means).astype(np.float32))
    adata.obs["donor"] = np.where(rng.random(90) < 0.5, "a", "b")
    adata.obs["type"] = types.astype(str)
    return adata


@pytest.mark.usefixtures("plain")
def test_from_counts_to_mapped_cells(counts, tmp_path) -> None:
    clr.pp.contrastive_preprocess(counts, "plain")
    assert counts.var["highly_variable"].sum() == 30
    clr.tl.contrastive_embed(counts, "plain", batch_key="donor")
    clr.tl.contrastive_cluster(counts, n_clusters=3)
    clr.tl.gene_attribution(counts, groupby="type")
    assert counts.obsm["X_clr"].shape == (90, 8)
    assert counts.uns["clr"]["params"]["method"] == "plain"
    assert len(clr.get.embedding_qc(counts).history) == 20
    clr.io.save(counts, tmp_path / "model", labels="type")
    query = ad.AnnData(counts.layers["counts"][:20], var=counts.var[[]])
    clr.tl.map_query(query, tmp_path / "model")
    np.testing.assert_allclose(query.obsm["X_clr"], counts.obsm["X_clr"][:20], atol=1e-5)


@pytest.mark.usefixtures("plain")
def test_its_presets_and_views(counts) -> None:
    clr.pp.contrastive_preprocess(counts)
    with pytest.warns(UserWarning, match="'paper' of 'plain' reads 60 genes"):
        clr.tl.contrastive_embed(counts, "plain", preset="paper")
    assert len(counts.uns["clr"]["history"]["step"]) == 30
    table = clr.get.augmentation_preview(counts, "plain", cells=1)
    assert table["step"].unique().tolist() == ["mask", "view 1", "view 2"]


@pytest.mark.usefixtures("plain")
def test_its_settings(counts) -> None:
    clr.pp.contrastive_preprocess(counts, "plain")
    runs = [clr.tl.contrastive_embed(counts, PlainConfig(temperature=t), copy=True).obsm["X_clr"] for t in (0.1, 1.0)]
    assert not np.allclose(*runs)
    state = torch.get_rng_state()
    again = clr.tl.contrastive_embed(counts, PlainConfig(temperature=1.0), copy=True).obsm["X_clr"]
    np.testing.assert_array_equal(again, runs[1])
    assert torch.equal(state, torch.get_rng_state())


def test_unknown_without_its_row(counts) -> None:
    with pytest.raises(ValueError, match="Unknown `method` 'plain'; choose one of 'scclr', 'clear', 'contrastive-sc'"):
        clr.pp.contrastive_preprocess(counts, "plain")
