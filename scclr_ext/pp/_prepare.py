"""What preprocessing would write into an AnnData, worked out before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scclr_ext import _keys
from scclr_ext._anndata import check_unique, frame
from scclr_ext._batches import batch_codes, batch_names
from scclr_ext._checks import check_whole
from scclr_ext._values.check_logarithms import check_logarithms
from scclr_ext._values.feature_types import no_genes
from scclr_ext._values.logarithms import check_alike, normalized_apart, several_sizes, some_cells
from scclr_ext._values.matrix import apart, get_matrix, name_of, to_memory
from scclr_ext._values.stored import StoredRows, is_stored
from scclr_ext._values.units import check_not_scaled, guess_units
from scclr_ext.engine.methods import METHODS, resolve
from scclr_ext.pp._gather import gather, normalize
from scclr_ext.pp._genes import select_genes
from scclr_ext.pp._overwritten import check_not_lost, check_same
from scclr_ext.pp._unmeasured import unmeasured

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext.engine.moments import Moments


@dataclass(frozen=True)
class Prepared:
    """What to write. Whoever interrupts does so before :meth:`write`, which only assigns."""

    genes: pd.DataFrame
    """Columns of `var`."""
    record: dict[str, Any]
    values: Any = None
    """What `X` becomes; None leaves it."""
    kept: dict[str, Any] | None = None
    """Layers that keep values; a value of None stands for what `X` was."""
    sizes: NDArray[np.float64] | None = None
    note_log1p: bool = False
    """Whether scanpy has to be told that `X` holds natural logarithms."""
    subset: bool = False
    message: str = ""
    warnings: tuple[str, ...] = ()

    def write(self, adata: AnnData) -> None:
        """Write everything into an AnnData that is no view."""
        for layer, values in (self.kept or {}).items():
            adata.layers[layer] = adata.X if values is None else values  # X is replaced below: moved, not copied
        if self.values is not None:
            adata.X = self.values
        if self.sizes is not None:
            adata.obs[_keys.LIBRARY_SIZE_OBS] = self.sizes
        for column in self.genes:
            adata.var[column] = self.genes[column].to_numpy()
        if self.note_log1p:
            adata.uns[_keys.LOG1P_UNS] = {}
        adata.uns[_keys.PREPROCESS_UNS] = self.record
        if self.subset:
            adata._inplace_subset_var(self.genes[_keys.HIGHLY_VARIABLE_VAR].to_numpy())


def prepare(
    adata: AnnData,
    method: str,
    *,
    n_top_genes: int | None,
    layer: str | None,
    batch_key: str | None,
    mask_genes: str | NDArray[np.bool_] | None,
    subset: bool = False,
    defer: bool = False,
    check_values: bool = True,
    progress: bool = False,
) -> Prepared:
    """Normalise a copy and choose genes; parameters and errors are those of `pp.contrastive_preprocess`.

    Raises
    ------
    ValueError
        Where the number of genes, gene names or values are not what they must be.
    """
    method = resolve(method).method
    recipe = METHODS[method].recipe
    n_top = recipe.n_top_genes if n_top_genes is None else n_top_genes
    check_whole(1, n_top_genes=n_top)
    check_unique(adata)
    where = name_of(layer)
    matrix = get_matrix(adata, layer)
    codes = None if batch_key is None else batch_codes(adata, batch_key)
    # What is not in memory stays as it is: the values are normalised whenever they are read.
    stays = defer or is_stored(matrix) or (adata.isbacked and not adata.is_view)
    if stays and subset:
        wanted = "goes with `defer=False`" if defer else "needs all values in memory"
        msg = f"`subset=True` {wanted}; leave it out: the model reads the chosen genes only, anyway."
        raise ValueError(msg)
    values = None if stays else to_memory(matrix, where=where)
    if values is None:
        rows_apart = getattr(matrix, "format", "csr") == "csr"
        rows = StoredRows(matrix if rows_apart else to_memory(matrix, where=where), where=where)
        found = gather(rows, codes, recipe.target_sum, description="Reading" if progress else None)
        units = found.units
    else:
        units = guess_units(values)
    check_not_scaled(units, where)
    logged = units == "log-normalized"
    warnings = [odd] if (odd := no_genes(adata)) is not None else []
    if units in {"linear", "log-normalized"}:
        cells = some_cells(matrix if values is None else values, where)
        check_alike(cells, where)
    if logged:
        if check_values:
            check_logarithms(adata, cells, layer=layer, where=where)
        if sizes := several_sizes(cells):
            warnings.append(normalized_apart(where, sizes))
    name = _keys.COUNTS_LAYER if units == "counts" else _keys.LINEAR_LAYER
    if values is not None and not logged and layer != name and name in adata.layers:
        check_same(adata.layers[name], values, name, where)
    if values is not None and layer is not None:
        check_not_lost(adata, layer)
    if values is not None:
        values = apart(values, matrix)  # whatever fails, the user's stay as they were
        found = normalize(values, codes, recipe.target_sum, units=units)
    table = select_genes(found.moments, frame(adata.var), int(n_top), mask_genes=mask_genes)

    kept: dict[str, Any] = {}
    if values is not None and not logged:
        if layer is None:
            kept[name] = None
        elif layer != name:
            kept[name] = adata.layers[layer].copy()
    n_chosen = int(table[_keys.HIGHLY_VARIABLE_VAR].sum())
    record = {
        "method": method,
        "input": units,
        "layer": layer or "X",
        "n_top_genes": n_chosen,
        "batch_key": batch_key or "",
        "target_sum": "kept" if logged else recipe.target_sum or "median",
        "deferred": stays and not logged,
        "check_values": check_values,
        "n_obs": adata.n_obs,
        "n_vars": adata.n_vars,
    }
    if not logged and recipe.target_sum is None:
        record["library_size"] = found.target_sum  # what the median was
    if batch_key is not None and (missing := _unmeasured(adata, found.moments, table, batch_key)):
        warnings.append(missing)
    held = f"{where} held {units} values"
    now = "X is now log-normalised"
    if logged:
        held, now = f"{where} held values that were already log-normalised", "they stay as they are"
        if layer is not None and not stays:
            now = "X is now a copy of them"
    elif stays:
        now = "they are normalised when they are read"
    return Prepared(
        genes=table,
        record=record,
        values=values,
        kept=kept,
        sizes=found.sizes if stays and not logged else None,
        note_log1p=_keys.LOG1P_UNS not in adata.uns if logged and layer is None else values is not None,
        subset=subset,
        message=f"{held}; {now}, var['highly_variable'] marks {n_chosen} genes",
        warnings=tuple(warnings),
    )


def _unmeasured(adata: AnnData, moments: Moments, table: pd.DataFrame, batch_key: str) -> str | None:
    chosen = table[_keys.HIGHLY_VARIABLE_VAR].to_numpy(dtype=bool)
    return unmeasured(moments, chosen, batch_names(adata, batch_key), batch_key)
