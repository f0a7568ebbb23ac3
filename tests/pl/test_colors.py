"""Colours of categories are the user's, or scanpy's."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData
from matplotlib.colors import to_hex

from scclr_ext.pl._colors import category_colors


def labelled(n: int) -> AnnData:
    names = [f"type {i:03d}" for i in range(n)]
    obs = pd.DataFrame({"type": pd.Categorical(names)}, index=[f"cell{i}" for i in range(n)])
    return AnnData(obs=obs, obsm={"X_umap": np.random.default_rng(0).normal(size=(n, 2))})


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("n", [3, 10, 11, 25, 60])
def test_without_colours_they_are_those_of_scanpy(n: int, style: str) -> None:
    adata = labelled(n)
    with mpl.style.context(style):
        ours = category_colors(adata, "type", adata.obs["type"].cat.categories)
        assert "type_colors" not in adata.uns
        sc.pl.umap(adata, color="type", show=False)
    assert list(ours.values()) == [to_hex(color) for color in adata.uns["type_colors"]]


@pytest.mark.parametrize(
    "stored",
    [
        [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
        [(1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)],
        np.eye(4)[:3] + [0, 0, 0, 1],
        np.array(["red", "lime", "blue"]),
        ["r", "#00ff00", "#00F", "white"],
    ],
)
def test_whatever_matplotlib_reads_is_taken(stored) -> None:
    adata = labelled(3)
    adata.uns["type_colors"] = stored
    found = category_colors(adata, "type", adata.obs["type"].cat.categories)
    assert list(found.values()) == ["#ff0000", "#00ff00", "#0000ff"]


def test_a_transparent_colour_stays_transparent() -> None:
    adata = labelled(1)
    adata.uns["type_colors"] = [(1, 0, 0, 0.2)]
    assert list(category_colors(adata, "type", adata.obs["type"].cat.categories).values()) == ["#ff000033"]


@pytest.mark.parametrize(
    ("stored", "named"), [(["red", "notacolor", "blue"], "'notacolor'"), (np.full((3, 3), 255), "array"), ("x", "'x'")]
)
def test_what_is_no_colour_is_said(stored, named) -> None:
    adata = labelled(3)
    categories = adata.obs["type"].cat.categories
    default = category_colors(adata, "type", categories)
    adata.uns["type_colors"] = stored
    with pytest.warns(UserWarning, match=rf"adata\.uns\['type_colors'\] names {named}"):
        assert category_colors(adata, "type", categories) == default


def test_too_few_colours_are_replaced_without_a_word() -> None:
    adata = labelled(3)
    adata.uns["type_colors"] = ["red"]
    assert len(set(category_colors(adata, "type", adata.obs["type"].cat.categories).values())) == 3
