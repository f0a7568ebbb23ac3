"""Sets out of packages: what is taken from an archive, and that all of them are pinned."""

from __future__ import annotations

import io
import tarfile
import zipfile

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

data = pytest.importorskip("benchmarks.unseen.data", reason="the benchmarks are not part of the source archive")

CELLS, GENES = 24, 6


@pytest.fixture
def study() -> ad.AnnData:
    """Two types, and a third of four cells; logarithms in X, counts in a layer and, less one gene, in raw."""
    counts = np.random.default_rng(0).poisson(3, (CELLS, GENES)).astype("float32")
    counts[:, -1] = 0
    counts[:2, -1] = 1  # found in two cells only
    obs = pd.DataFrame(
        {"label": ["T"] * 10 + ["B"] * 10 + ["rare"] * 4, "donor": ["a", "b"] * 12, "age": 3},
        index=[f"cell{i}" for i in range(CELLS)],
    )
    adata = ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"gene{i}" for i in range(GENES)]))
    whole = adata.copy()
    adata.raw = adata[:, 1:].copy()
    adata.X = np.log1p(whole.X)
    adata.layers["counts"] = sparse.csc_matrix(whole.X)
    return adata


def as_tar(folder, content: bytes, name: str) -> None:
    with tarfile.open(folder / "Study_tools-1.0.tar.gz", "w:gz") as archive:
        for path in (f"study-1.0/{name}", "study-1.0/setup.py"):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def as_h5ad(adata, folder) -> bytes:
    adata.write_h5ad(folder / "written.h5ad")
    content = (folder / "written.h5ad").read_bytes()
    (folder / "written.h5ad").unlink()
    return content


@pytest.mark.parametrize(("counts", "genes"), [("counts", 5), ("raw", 4)])
def test_counts_types_and_batches_are_taken_and_nothing_else(study, tmp_path, counts, genes) -> None:
    as_tar(tmp_path, as_h5ad(study, tmp_path), "data/study.h5ad")
    origin = data.Origin("study", "data/study.h5ad", "label", "donor", counts=counts)
    found = data.convert(origin, tmp_path)
    kept = study.obs["label"] != "rare"
    assert found.shape == (20, genes)
    assert list(found.obs) == ["cell_type", "batch"]
    assert found.obs["cell_type"].tolist() == study.obs["label"][kept].tolist()
    assert found.obs["batch"].tolist() == study.obs["donor"][kept].tolist()
    assert not found.uns and not found.obsm and not found.layers and found.raw is None
    expected = study.layers["counts"].toarray()[kept.to_numpy()][:, GENES - 1 - genes : -1]
    np.testing.assert_array_equal(found.X.toarray(), expected)


def test_a_table_in_a_wheel(study, tmp_path) -> None:
    table = pd.DataFrame(study.layers["counts"].toarray().T, index=study.var_names, columns=study.obs_names)
    with zipfile.ZipFile(tmp_path / "study-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("study/counts.csv.gz", gzipped(table))
        archive.writestr("study/cells.csv.gz", gzipped(study.obs.iloc[::-1]))  # in another order
    found = data.convert(data.Origin("study", "counts.csv.gz", "label", metadata="cells.csv.gz"), tmp_path)
    kept = study.obs["label"] != "rare"
    assert found.obs["cell_type"].tolist() == study.obs["label"][kept].tolist()
    np.testing.assert_array_equal(found.X.toarray(), study.layers["counts"].toarray()[kept.to_numpy(), :-1])


def gzipped(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_csv(buffer, compression="gzip")
    return buffer.getvalue()


def test_every_package_is_pinned_by_its_hash() -> None:
    lines = [line for line in data.PACKAGES.read_text().splitlines() if not line.startswith(("#", "--"))]
    pinned = {line.split("==")[0] for line in lines}
    assert all("--hash=sha256:" in line for line in lines)
    for origin in data.ORIGINS.values():
        assert sum(name.startswith(origin.package) for name in pinned) == 1, origin.package


def test_batches_are_means_of_sets_and_not_of_runs() -> None:
    from benchmarks.unseen.table import batches

    def row(name, method, uses_batch, value):
        scores = dict.fromkeys(("f1_ARI", "f1_ASW", "purity", "mixing"), value)
        return {"set": name, "method": method, "uses_batch": uses_batch} | scores

    table = batches(
        pd.DataFrame(
            [
                *(row("liver", "scclr", True, value) for value in (0.1, 0.2, 0.3)),
                row("pancreas", "scclr", True, 0.8),
                row("liver", "scclr", False, 0.9),  # not told
                row("liver", "PCA", False, 0.5),
                row("heart", "PCA", False, np.nan),  # no batches
            ]
        )
    )
    assert table["mixing"].to_dict() == pytest.approx({"PCA": 0.5, "scclr (batch_key)": 0.5})


def test_confidence() -> None:
    from benchmarks.unseen.table import by_confidence

    rows = {
        "confidence": [0.5, 0.79, 0.99, np.nan],  # the last is a single cluster
        "chosen_ari": [0.2, 0.4, 0.9, 0.0],
        "best_ari": [0.4, 0.4, 0.9, 0.5],
    }
    table = by_confidence(pd.DataFrame(rows))
    assert table.index.tolist() == ["0.00 to 0.80", "0.95 to 1.00"]
    assert table["ARI"].tolist() == pytest.approx([0.3, 0.9])
    assert table["below the best resolution"].tolist() == pytest.approx([0.1, 0.0])
    assert table["embeddings"].tolist() == ["2", "1"]
