"""The blood cells of CLEAR's COVID-19 case study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique
from scipy import sparse

from scclr_ext._anndata import names
from scclr_ext._warn import warn
from scclr_ext.datasets._download import check, fetch
from scclr_ext.datasets._pbmc_atlas import CONDITIONS

if TYPE_CHECKING:
    from os import PathLike

_URL = "https://datasets.cellxgene.cziscience.com/8d7fad46-2f37-4aa0-ac9d-babbc36efb6f.h5ad"
_SHA256 = "50fa832f6ce824a18f1a5d54d2481ada5bee24036630a56bac7f7e98123a7c16"
_NEEDED = ("donor_id", "disease", "cell_type")
_SEVERITY = dict(zip(("healthy", "nonvent", "vent"), CONDITIONS, strict=True))


def wilk2020_covid(
    path: str | PathLike[str] | None = None,
    *,
    cache_dir: str | PathLike[str] | None = None,
    url: str = _URL,
    known_hash: str | None = _SHA256,
    progress: bool | None = None,
) -> AnnData:
    """Load 44 721 blood cells of 7 COVID-19 patients and 6 healthy donors (Wilk et al. 2020).

    The data of CLEAR's case study. They are downloaded once (217 MB), from CELLxGENE Discover, where the study's
    authors publish them with their annotation, and kept in the user's cache folder. The same counts are at GEO
    (GSE150728), as R objects. :func:`scclr_ext.datasets.simulate_covid_pbmc` needs no download.

    Parameters
    ----------
    path
        A file that was downloaded already; nothing is then taken from the network or the cache.
    cache_dir
        Folder to keep the file in; None for the user's cache folder.
    url
        Where to download from. Another version of the data set needs its own `known_hash`.
    known_hash
        SHA-256 of the file. None trusts the first download, writes its checksum beside it, and holds later calls to
        that; with `path`, None skips the check.
    progress
        Show a progress bar while downloading; None follows `scclr_ext.settings.progress`.

    Returns
    -------
    Counts as a sparse matrix (CSR, float32), genes named by symbol:

    `obs["donor"]`
        ``C1`` to ``C7`` are ill, ``H1`` to ``H6`` healthy.
    `obs["sample"]`
        One donor was sampled twice; where the file says so, the sample, else the donor.
    `obs["condition"]`
        `healthy`, `moderate` (not ventilated) or `severe` (ventilated, with ARDS), as in the CLEAR paper. Where the
        file does not say who was ventilated: `healthy` or `covid`, with a warning.
    `obs["cell_type"]`
        The authors' annotation, in the terms of the Cell Ontology. Other columns of the file are kept.
    `var["ensembl_id"]`
        The gene's identifier.

    Raises
    ------
    ConnectionError
        Where the file cannot be downloaded.
    FileNotFoundError
        Where `path` names no file.
    KeyError
        Where the file lacks a column or the raw counts.
    ValueError
        Where the checksum is wrong, or the raw values are not counts.

    Warns
    -----
    UserWarning
        Where the file does not say who was ventilated.

    Notes
    -----
    The address is that of one version of the data set, which CELLxGENE never changes. Its checksum is one that
    users of that version published; the authors of this package could not download the file to confirm it.

    References
    ----------
    Wilk et al. (2020), "A single-cell atlas of the peripheral immune response in patients with severe COVID-19",
    *Nature Medicine* 26:1070-1076, `10.1038/s41591-020-0944-y <https://doi.org/10.1038/s41591-020-0944-y>`__.

    Examples
    --------
    >>> import scclr_ext as clr
    >>> adata = clr.datasets.wilk2020_covid()  # doctest: +SKIP
    """
    if path is None:
        file = fetch(url, name="wilk2020_covid.h5ad", known_hash=known_hash, cache_dir=cache_dir, progress=progress)
    else:
        file = Path(path)
        check(file, known_hash)
    return _from_cellxgene(ad.read_h5ad(file), file)


def _from_cellxgene(source: AnnData, file: Path) -> AnnData:
    """Bring a file that follows CELLxGENE's schema into this package's form."""
    if missing := [name for name in _NEEDED if name not in source.obs]:
        msg = f"{file} has no column {missing[0]!r} in obs; found {names(source.obs)}. It is not a CELLxGENE file."
        raise KeyError(msg)
    if source.raw is None:
        msg = f"{file} has no raw counts (`.raw` is empty); it is not the file that CELLxGENE offers."
        raise KeyError(msg)
    counts = sparse.csr_matrix(source.raw.X).astype(np.float32)
    if not (counts.data == np.round(counts.data)).all() or (counts.data < 0).any():
        msg = f"{file} holds values in `.raw` that are not counts."
        raise ValueError(msg)
    table = source.raw.var if "feature_name" in source.raw.var else source.var.reindex(source.raw.var_names)
    symbols = table["feature_name"].astype(str) if "feature_name" in table else pd.Series(source.raw.var_names)
    var = pd.DataFrame({"ensembl_id": source.raw.var_names.astype(str)}, index=make_index_unique(pd.Index(symbols)))

    obs = source.obs.copy()
    donor = obs["donor_id"].astype(str)
    sample = _column(obs, "donorfull")
    obs["donor"] = pd.Categorical(donor)
    obs["sample"] = pd.Categorical(donor if sample is None else sample.astype(str))
    obs["condition"] = _condition(obs, file)
    return AnnData(counts, obs=obs, var=var)


def _column(obs: pd.DataFrame, plain: str) -> pd.Series | None:
    """Find an author's column whatever its case and punctuation, which differ between releases."""
    for name in obs:
        if re.sub(r"[^a-z]", "", str(name).lower()) == plain:
            return obs[name]
    return None


def _condition(obs: pd.DataFrame, file: Path) -> pd.Categorical:
    ventilated = _column(obs, "ventilated")
    if ventilated is not None:
        level = ventilated.astype(str).str.lower().str.replace(r"[^a-z]", "", regex=True).map(_SEVERITY)
        if level.notna().all():
            return pd.Categorical(level, categories=list(CONDITIONS))
    warn(f"{file} does not say who was ventilated: obs['condition'] tells only the healthy from the ill.")
    healthy = obs["disease"].astype(str).isin(("normal", "healthy"))
    return pd.Categorical(np.where(healthy, "healthy", "covid"), categories=["healthy", "covid"])
