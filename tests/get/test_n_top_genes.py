"""The table of the numbers of genes: as it was recorded, also after a file; and what to run without one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad

import scclr_ext as clr
from anndata_state import unchanged
from tried import tried


def test_the_table_is_the_record() -> None:
    adata = tried()
    with unchanged(adata):
        table = clr.get.n_top_genes(adata)
    assert table.index.tolist() == [500, 1000, 2000]
    assert table["morans_i"].tolist() == pytest.approx([0.2, 0.25, 0.3])
    assert table["spread"].tolist() == [0.01] * 3
    assert table["chosen"].tolist() == [False, True, False]


@pytest.mark.parametrize("numbers", [(500, 1000), (1000,)])
def test_a_file_in_between(tmp_path, numbers) -> None:
    adata = tried(numbers)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    pd.testing.assert_frame_equal(clr.get.n_top_genes(adata), clr.get.n_top_genes(read_h5ad(tmp_path / "cells.h5ad")))


def test_what_to_run() -> None:
    with pytest.raises(TypeError, match="ndarray"):
        clr.get.n_top_genes(np.zeros(3))
    adata = tried()
    del adata.uns["clr_n_top_genes"]
    with pytest.raises(KeyError, match="select_n_top_genes"):
        clr.get.n_top_genes(adata)
    adata.uns["clr_n_top_genes"] = {"n_top_genes": 3}
    with pytest.raises(ValueError, match="select_n_top_genes"):
        clr.get.n_top_genes(adata)
