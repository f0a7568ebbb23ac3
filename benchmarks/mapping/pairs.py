"""Reference and query: one donor, protocol or condition, and another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anndata as ad

from benchmarks.quality.sets import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


class Pair(NamedTuple):
    """Which cells of a set are the reference and which the query; which column tells the reference's batches apart."""

    set: str
    reference: Callable[[pd.DataFrame], pd.Series]
    query: Callable[[pd.DataFrame], pd.Series]
    batch_key: str | None = None


def _is(column: str, *values: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda obs: obs[column].astype(str).isin(values)


_DONORS = ("donor1016", "donor101", "donor107", "donor1039")

PAIRS = {
    "kang: control to stimulated": Pair("kang_ifnb", _is("condition", "ctrl"), _is("condition", "stim")),
    "kang: stimulated to control": Pair("kang_ifnb", _is("condition", "stim"), _is("condition", "ctrl")),
    "muscat: donor to donor": Pair("kang_ifnb_muscat", _is("batch", "donor101"), _is("batch", "donor107")),
    "muscat: control to stimulated": Pair("kang_ifnb_muscat", _is("condition", "ctrl"), _is("condition", "stim")),
    "controls: donor to donor": Pair("kang_ctrl_pbmc", _is("batch", "donor1016"), _is("batch", "donor101")),
    "controls: four donors to one": Pair("kang_ctrl_pbmc", _is("batch", *_DONORS), _is("batch", "donor1488"), "batch"),
    "cell lines: CEL-seq2 to Drop-seq": Pair("cellbench_3cl", _is("batch", "sc_celseq2"), _is("batch", "sc_dropseq")),
    "cell lines: Drop-seq to CEL-seq2": Pair("cellbench_3cl", _is("batch", "sc_dropseq"), _is("batch", "sc_celseq2")),
    "blood: chemistry V3 to V2": Pair("pbmc_3tech_savercat", _is("batch", "V3"), _is("batch", "V2")),
}


def load(name: str) -> tuple[ad.AnnData, ad.AnnData]:
    """Return the raw counts of reference and query."""
    pair = PAIRS[name]
    adata = ad.read_h5ad(FOLDER / f"{pair.set}.h5ad")
    adata.var_names_make_unique()
    return adata[pair.reference(adata.obs)].copy(), adata[pair.query(adata.obs)].copy()


def removable(reference: ad.AnnData, query: ad.AnnData, how_many: int) -> list[str]:
    """Types to take out of the reference: of those with 20 cells on both sides, spread over their frequencies."""
    there, here = (a.obs["cell_type"].value_counts() for a in (reference, query))
    types = [name for name in here.index if here[name] >= 20 and there.get(name, 0) >= 20]
    if len(types) < 2 or len(there) < 3:
        return []
    step = max(1, len(types) // how_many)
    return [str(name) for name in types[::step][:how_many]]
