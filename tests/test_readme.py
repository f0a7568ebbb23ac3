"""What the README shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import anndata as ad
import matplotlib.pyplot as plt
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_lines_in_python(tmp_path, monkeypatch, _pbmc) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    counts = ad.AnnData(_pbmc.X[:200].expm1().rint(), _pbmc.obs[:200], _pbmc.var)
    counts.write_h5ad(tmp_path / "my_counts.h5ad")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), names)
    adata = names["adata"]
    assert {"X_clr", "X_umap"} <= set(adata.obsm)
    assert adata.obs["clr_clusters"].nunique() > 1
    assert len(plt.get_fignums()) == 3
