"""The loader of the real study, on a small file of the same format that is served on this machine."""

from __future__ import annotations

import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pooch
import pytest
from scipy import sparse

import scclr_ext as clr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

load = clr.datasets.wilk2020_covid
DONORS = ["C1", "C1", "C2", "C3", "H1", "H2"]
VENTILATED = ["NonVent", "Vent", "NonVent", "Vent", "Healthy", "Healthy"]


def cellxgene_file(**changes: Any) -> ad.AnnData:
    """Six cells in CELLxGENE's form: logs in X, counts in raw, Ensembl identifiers as names."""
    counts = np.random.default_rng(0).poisson(1.5, (6, 4)).astype(np.float32)
    var = pd.DataFrame(
        {"feature_name": pd.Categorical(["ISG15", "CD74", "CD74", "ENSG00000000004"])},
        index=[f"ENSG0000000000{i}" for i in range(1, 5)],
    )
    obs = {
        "donor_id": pd.Categorical(DONORS),
        "Donor_full": ["C1 A", "C1 B", "C2", "C3", "H1", "H2"],
        "disease": pd.Categorical(["COVID-19"] * 4 + ["normal"] * 2),
        "cell_type": pd.Categorical(["CD14-positive monocyte"] * 3 + ["B cell"] * 3),
        "Ventilated": VENTILATED,
    } | changes
    table = pd.DataFrame({k: v for k, v in obs.items() if v is not None}, index=[f"c{i}" for i in range(6)])
    source = ad.AnnData(sparse.csr_matrix(counts), obs=table, var=var)
    source.raw = source.copy()
    source.X = source.X.log1p()
    return source


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "study.h5ad"
    cellxgene_file().write_h5ad(path)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """An address under which the files of `tmp_path` can be downloaded, and a list of what was."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args: Any) -> None:
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", asked
        running.shutdown()
        thread.join()


def test_counts_and_names(file: Path) -> None:
    adata = load(file, known_hash=None)
    assert isinstance(adata.X, sparse.csr_matrix)
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X.toarray(), ad.read_h5ad(file).raw.X.toarray())
    assert adata.var_names.tolist() == ["ISG15", "CD74", "CD74-1", "ENSG00000000004"]
    assert adata.var["ensembl_id"].tolist() == [f"ENSG0000000000{i}" for i in range(1, 5)]
    assert adata.obs["cell_type"].tolist() == ["CD14-positive monocyte"] * 3 + ["B cell"] * 3


def test_donors_samples_and_conditions(file: Path) -> None:
    obs = load(file, known_hash=None).obs
    assert obs["donor"].tolist() == DONORS
    assert obs["sample"].tolist() == ["C1 A", "C1 B", "C2", "C3", "H1", "H2"]
    assert obs["condition"].tolist() == ["moderate", "severe", "moderate", "severe", "healthy", "healthy"]
    assert obs["condition"].cat.categories.tolist() == ["healthy", "moderate", "severe"]


def test_authors_columns_are_found_however_they_are_spelled(tmp_path: Path) -> None:
    path = tmp_path / "study.h5ad"
    changes = {"Ventilated": None, "ventilated": ["non-vent", "VENT", "non-vent", "VENT", "healthy", "healthy"]}
    cellxgene_file(**changes, Donor_full=None, **{"Donor.full": ["a", "b", "c", "d", "e", "f"]}).write_h5ad(path)
    obs = load(path, known_hash=None).obs
    assert obs["condition"].tolist() == ["moderate", "severe", "moderate", "severe", "healthy", "healthy"]
    assert obs["sample"].tolist() == list("abcdef")


@pytest.mark.parametrize("ventilated", [None, ["yes", "no", "yes", "no", "no", "no"]])
def test_a_file_that_does_not_say_who_was_ventilated(tmp_path: Path, ventilated: Any) -> None:
    path = tmp_path / "study.h5ad"
    cellxgene_file(Ventilated=ventilated, Donor_full=None).write_h5ad(path)
    with pytest.warns(UserWarning, match="does not say who was ventilated") as warned:
        obs = load(path, known_hash=None).obs
    assert warned[0].filename == __file__
    assert obs["condition"].tolist() == ["covid"] * 4 + ["healthy"] * 2
    assert obs["sample"].tolist() == DONORS


def test_goes_on_into_the_pipeline(file: Path) -> None:
    adata = load(file, known_hash=None)
    clr.pp.contrastive_preprocess(adata, batch_key="sample", n_top_genes=2)
    assert adata.uns["clr_preprocess"]["input"] == "counts"


def test_downloads_once(file: Path, server: tuple[str, list[str]], tmp_path: Path, capfd: Any) -> None:
    address, asked = server
    options: dict[str, Any] = {
        "url": f"{address}/{file.name}",
        "known_hash": sha256(file),
        "cache_dir": tmp_path / "cache",
        "progress": False,
    }
    level = pooch.get_logger().level
    first, again = load(**options), load(**options)
    assert asked == ["/study.h5ad"]
    assert first.obs.equals(again.obs)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["wilk2020_covid.h5ad"]
    assert capfd.readouterr() == ("", "")
    assert pooch.get_logger().level == level


def test_a_damaged_file_in_the_cache_is_fetched_again(
    file: Path, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = server
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "wilk2020_covid.h5ad").write_bytes(b"half a file")
    load(url=f"{address}/{file.name}", known_hash=sha256(file), cache_dir=cache, progress=False)
    assert asked == ["/study.h5ad"]


def test_a_wrong_checksum_is_refused(file: Path, server: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not have the checksum 50fa"):  # the default is that of the real file
        load(url=f"{server[0]}/{file.name}", cache_dir=tmp_path / "cache", progress=False)
    assert not (tmp_path / "cache" / "wilk2020_covid.h5ad").exists()
    with pytest.raises(ValueError, match="known_hash=None"):
        load(file)


def test_without_a_checksum_the_first_download_is_what_later_ones_are_held_to(
    file: Path, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    options: dict[str, Any] = {"url": f"{server[0]}/{file.name}", "known_hash": None, "progress": False}
    load(**options, cache_dir=cache)
    (written,) = cache.glob("*_wilk2020_covid.h5ad.sha256")
    assert written.read_text().strip() == sha256(file)
    written.with_suffix("").write_bytes(b"tampered with")
    cellxgene_file(Donor_full=None).write_h5ad(file)
    with pytest.raises(ValueError, match="does not have the checksum"):
        load(**options, cache_dir=cache)


def test_another_address_is_another_file(file: Path, server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = server
    other = file.with_name("other.h5ad")
    other.write_bytes(file.read_bytes())
    for url in (f"{address}/study.h5ad", f"{address}/other.h5ad", f"{address}/study.h5ad"):
        load(url=url, known_hash=None, cache_dir=tmp_path / "cache", progress=False)
    assert asked == ["/study.h5ad", "/other.h5ad"]


def test_an_address_of_no_known_kind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^`url='foo://x'` cannot be downloaded: "):
        load(url="foo://x", known_hash=None, cache_dir=tmp_path / "cache", progress=False)


def test_without_a_network_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"^http://127.0.0.1:9/x could not be downloaded .*`path=`\.$"):
        load(url="http://127.0.0.1:9/x", cache_dir=tmp_path / "cache", progress=False)


def test_a_server_without_the_file_is_no_crash(server: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="HTTPError"):
        load(url=f"{server[0]}/none.h5ad", cache_dir=tmp_path / "cache", progress=False)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="names no file"):
        load(tmp_path / "none.h5ad")
    path = tmp_path / "other.h5ad"
    cellxgene_file(donor_id=None).write_h5ad(path)
    with pytest.raises(KeyError, match="no column 'donor_id'"):
        load(path, known_hash=None)
    source = cellxgene_file()
    source.raw = None
    source.write_h5ad(path)
    with pytest.raises(KeyError, match="no raw counts"):
        load(path, known_hash=None)
    source.raw = source.copy()  # logs
    source.write_h5ad(path)
    with pytest.raises(ValueError, match="not counts"):
        load(path, known_hash=None)
