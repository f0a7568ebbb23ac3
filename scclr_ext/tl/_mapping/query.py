"""From query cells to the values a trained model reads: same units, same genes, same order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from scclr_ext._anndata import check_unique
from scclr_ext._values.check_logarithms import check_logarithms
from scclr_ext._values.logarithms import (
    SAME_SIZE,
    common_size,
    linear_sizes,
    mean_size,
    some_cells,
    some_rows,
)
from scclr_ext._values.matrix import get_matrix, name_of, to_memory
from scclr_ext._values.normalize import library_sizes, log_normalize, size_factors
from scclr_ext._values.stored import StoredRows, is_stored
from scclr_ext._values.units import check_not_scaled, guess_units
from scclr_ext.engine.hold import pieces_of, stack
from scclr_ext.engine.prefetch import prefetch
from scclr_ext.io._document import library_share

if TYPE_CHECKING:
    from anndata import AnnData

    from scclr_ext._values.units import Units
    from scclr_ext.io import Model

_FEWEST_TO_COMPARE = 100
"""Cells of a query whose libraries are compared with the reference's: a few may all be of one odd type."""
_HINT = 0.1
"""Share of the model's genes that another spelling has to find before it is suggested: a few match by chance."""


class QueryInput(NamedTuple):
    """Values of the genes that query and model share, and how they were made."""

    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array
    places: np.ndarray
    """Which of the model's genes each column holds."""
    missing: np.ndarray
    """Names of the model's genes that the query lacks."""
    units: str
    rescaled: float
    """Library size that the query's cells were brought to; 0 where it was left as it was."""
    empty: np.ndarray
    """Whether a cell has nothing at all in these genes, shape ``(cells,)``."""
    doubtful: bool
    """Whether it was left although it may be another than the reference's: it could not be told."""


def read_query(
    adata: AnnData, model: Model, *, layer: str | None, min_overlap: float, check_values: bool
) -> QueryInput:
    """Read and check everything :func:`scclr_ext.tl.map_query` needs of the query; changes nothing."""
    check_unique(adata)
    where = name_of(layer)
    matrix = get_matrix(adata, layer)
    columns = pd.Index(adata.var_names.astype(str)).get_indexer(pd.Index(model.genes))
    places = np.flatnonzero(columns >= 0)
    if len(places) < max(1, min_overlap * len(columns)):
        raise ValueError(_too_few(adata, model.genes, len(places), min_overlap))
    part, sizes, units = _read(matrix, columns[places], where)
    check_not_scaled(units, where)
    target_sum = float(model.preprocess["target_sum"])
    if units != "log-normalized" and not target_sum:
        msg = (
            f"{where} holds {units}, and the model does not know to which library size its cells were brought. "
            "Log-normalise the query exactly as the reference was, and map it again."
        )
        raise ValueError(msg)
    empty = library_sizes(part) == 0
    missing = model.genes[columns < 0]
    if units != "log-normalized":
        log_normalize(part, size_factors(sizes, target_sum).factor)
        return QueryInput(part, places, missing, units, target_sum, empty, doubtful=False)
    cells = some_cells(matrix, where)
    if check_values:
        check_logarithms(adata, cells, layer=layer, where=where)
    linear = linear_sizes(cells)
    same = bool((np.abs(linear[linear > 0] - target_sum) < SAME_SIZE * target_sum).all())
    found = common_size(linear)
    if same or not found or not target_sum:
        return QueryInput(part, places, missing, units, 0.0, empty, doubtful=bool(target_sum) and not same)
    stored = part.data if sparse.issparse(part) else part
    np.log1p(np.expm1(stored) * np.float32(target_sum / found), out=stored)
    return QueryInput(part, places, missing, units, target_sum, empty, doubtful=False)


def library_excess(query: QueryInput, model: Model) -> float:
    """Compare the share of a cell's library that the model's genes hold with that of the reference, as a ratio.

    Genes that the query lacks count as in the reference. 0 where it is not known, or the query has few cells.
    """
    mean = model.trained.data.mean
    expected = library_share(model.preprocess) * float(model.preprocess["target_sum"])
    expected *= float(mean[query.places].sum() / mean.sum()) if mean.sum() > 0 else 0.0
    n_cells = query.matrix.shape[0]
    if query.doubtful or n_cells < _FEWEST_TO_COMPARE or expected <= 0:
        return 0.0
    return mean_size(query.matrix[some_rows(n_cells)]) / expected


def _read(matrix: Any, columns: np.ndarray, where: str) -> tuple[Any, np.ndarray, Units]:
    """Return some genes of all cells, which may be changed in place, and the sums and the units of all genes."""
    if not is_stored(matrix):
        values = to_memory(matrix, where=where)
        return values[:, columns], library_sizes(values), guess_units(values)
    rows = StoredRows(matrix, where=where)
    pieces = pieces_of(np.arange(rows.shape[0]), rows.shape[1])
    parts, sizes = [], np.zeros(rows.shape[0])
    for piece, values in zip(pieces, prefetch(rows.read, pieces), strict=True):
        parts.append(values[:, columns])
        sizes[piece] = library_sizes(values)
    return stack(parts), sizes, rows.seen.units


def _too_few(adata: AnnData, genes: np.ndarray, n_shared: int, min_overlap: float) -> str:
    """Say what is wrong with the genes' names, and guess why."""
    wanted = frozenset(genes)
    message = (
        f"The query has {n_shared} of the model's {len(genes)} genes, fewer than min_overlap={min_overlap:g} allows "
        f"(the model: {', '.join(map(repr, genes[:3]))}; the query: {', '.join(map(repr, adata.var_names[:3]))})."
    )
    for column in adata.var:
        if adata.var[column].dtype.kind in "OUT" or str(adata.var[column].dtype) in {"category", "str", "string"}:
            n_there = len(wanted & set(adata.var[column].astype(str)))
            if n_there > max(2 * n_shared, min_overlap * len(genes)):
                return (
                    f"{message} adata.var[{column!r}] has {n_there} of them: adata.var_names = "
                    f"adata.var[{column!r}].astype(str).to_numpy(), then adata.var_names_make_unique()."
                )
    many = max(2 * n_shared, _HINT * len(genes))
    lower = {gene.lower() for gene in wanted}
    if len(lower & {name.lower() for name in adata.var_names}) > many:
        return f"{message} Many differ in upper and lower case only: another species?"
    bare = {gene.split(".")[0] for gene in wanted}
    if len(bare & {name.split(".")[0] for name in adata.var_names}) > many:
        return f"{message} Many differ in the version behind the dot only: remove it."
    return f"{message} Name the genes as the reference does."
