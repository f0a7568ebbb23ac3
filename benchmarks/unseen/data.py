"""Labelled counts that lie in published Python packages, as files like those in SCCLR_DATA.

Nobody looked at these sets while methods, defaults and the choice of the number of clusters were made. They were found
in the archives of some 300 packages whose summary speaks of cells, genes or transcriptomes, and taken where a file that
says what it is (mostly .h5ad) holds raw counts of 500 measured cells or more with their types, of a study that is not
among our own sets. There will be more in archives that were not read.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import anndata as ad
import pandas as pd
import scanpy as sc
from scipy import sparse

PACKAGES = Path(__file__).with_name("packages.txt")
_FEWEST_CELLS = 5
"""Types with fewer are left out, and genes found in fewer than three cells."""


class Origin(NamedTuple):
    """Where a set comes from."""

    package: str
    file: str
    """How its name in the archive ends."""
    types: str
    batches: str | None = None
    counts: str = "X"
    metadata: str | None = None
    """For a table of genes by cells: the file that annotates the cells."""


ORIGINS = {
    "brain_neurons": Origin(
        "cellex",
        "_benchmark/zeisel2018_mousebrain_subset_data.csv.gz",
        "cell_type",
        metadata="_benchmark/zeisel2018_mousebrain_subset_metadata.csv.gz",
    ),
    "chicken_embryo": Origin("transcriptformer", "test/data/chicken_val.h5ad", "cell_type"),
    "heart": Origin("transcriptformer", "test/data/human_val.h5ad", "cell_type"),
    "liver": Origin("buddi", "liver_droplet_processed.h5ad", "cell_ontology_class", "mouse.id"),
    "merfish_brain": Origin("transcriptformer", "test/data/mouse_val.h5ad", "cell_type"),
    "muraro_pancreas": Origin("sicta", "data/Muraro.h5ad", "cell_type"),
    "pancreas_4_studies": Origin(
        "hormone2cell", "pancreas_downsample200CT.h5ad", "Curated_annotation", "Dataset", counts="raw"
    ),
    "pbmc_2_conditions": Origin("dotools", "dt/example_reduced.h5ad", "cell_type", "batch", counts="counts"),
    "retina": Origin("grnndata", "tests/test.h5ad", "cell_type"),
    "tumour": Origin("htan", "HTAN_h5ad_exemplar_2025_03_03.h5ad", "author_cell_type", counts="raw"),
    "zeisel_cortex": Origin("firmament", "tests/data/test.h5ad", "level1class"),
}


def prepare(folder: Path) -> None:
    """Fetch the packages with pip, as pinned, and write the sets that `folder` lacks.

    Nothing is installed, but pip runs the build system of a source archive to learn its name.
    """
    missing = [name for name in ORIGINS if not (folder / f"{name}.h5ad").exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as archives:
        command = ["pip", "download", "--quiet", "--no-deps", "--require-hashes", "--ignore-requires-python"]
        subprocess.run([sys.executable, "-m", *command, "-r", PACKAGES, "-d", archives], check=True)
        for name in missing:
            convert(ORIGINS[name], Path(archives)).write_h5ad(folder / f"{name}.h5ad", compression="gzip")


def convert(origin: Origin, archives: Path) -> ad.AnnData:
    """Read one set from its package: counts, types and batches, and nothing else."""
    (archive,) = (file for file in archives.iterdir() if file.name.lower().startswith(origin.package))
    content = member(archive, origin.file)
    if origin.metadata:
        table = pd.read_csv(io.BytesIO(content), index_col=0, compression="gzip").T
        obs = pd.read_csv(io.BytesIO(member(archive, origin.metadata)), index_col=0, compression="gzip")
        adata = ad.AnnData(table.astype("float32"), obs=obs.loc[table.index])
    else:
        adata = ad.read_h5ad(io.BytesIO(content))
    if origin.counts == "raw":
        adata = adata.raw.to_adata()
    counts = adata.X if origin.counts in {"X", "raw"} else adata.layers[origin.counts]
    columns = {"cell_type": origin.types} | ({"batch": origin.batches} if origin.batches else {})
    obs = pd.DataFrame({name: adata.obs[column].astype(str) for name, column in columns.items()}, dtype="category")
    clean = ad.AnnData(sparse.csr_matrix(counts, dtype="float32"), obs=obs, var=pd.DataFrame(index=adata.var_names))
    clean.var_names_make_unique()
    frequent = clean.obs["cell_type"].map(clean.obs["cell_type"].value_counts()).astype(int) >= _FEWEST_CELLS
    clean = clean[frequent.to_numpy()].copy()
    sc.pp.filter_genes(clean, min_cells=3)
    return clean


def member(archive: Path, ending: str) -> bytes:
    """Read the one file of an archive whose name ends so."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(ending))
            return wheel.read(name)
    with tarfile.open(archive) as source:
        (name,) = (name for name in source.getnames() if name.endswith(ending))
        file = source.extractfile(name)
        assert file is not None  # it is no folder
        return file.read()
