"""From an AnnData to what the engine takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import check_unique, frame
from scclr_ext._batches import batch_codes
from scclr_ext._values.check_logarithms import check_logarithms, check_unaltered
from scclr_ext._values.deferred import deferred_factors, deferred_record, still_deferred
from scclr_ext._values.gene_mask import gene_mask
from scclr_ext._values.logarithms import mean_size, normalized_apart, several_sizes, some_cells, some_rows
from scclr_ext._values.matrix import apart, get_matrix, name_of, to_memory
from scclr_ext._values.normalize import log_normalize
from scclr_ext._values.stored import StoredRows, is_stored
from scclr_ext._values.units import UnitsSoFar, check_not_scaled
from scclr_ext._warn import warn
from scclr_ext.tl._embedding.library_size import find_target_sum

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

_HINT = " Call scclr_ext.pp.contrastive_preprocess(adata), or pass mask_var=None for all genes."
_MIN_CELLS = 2


@dataclass(frozen=True)
class ModelInput:
    """Values of the model's genes, and where they came from."""

    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array | StoredRows
    genes: NDArray[np.str_]
    batches: NDArray[np.int64] | None
    layer: str
    mask_var: str
    batch_key: str
    target_sum: float
    """Library size the cells were brought to before the logarithm; 0 where it is not known."""
    deferred: bool = False
    """Whether the values are normalised as they are read."""
    small: bool = False
    """Whether values that are no logarithms may be as small as these."""

    def library_share(self) -> float:
        """Return the share of a cell's library in the model's genes, mean of some cells; 0 where it is not known."""
        if not self.target_sum:
            return 0.0
        n_cells = self.matrix.shape[0]
        if isinstance(self.matrix, StoredRows):
            some = self.matrix.read(some_rows(n_cells, together=True))
        else:
            some = self.matrix[some_rows(n_cells)]
        return mean_size(some) / self.target_sum

    def check_again(self) -> None:
        """Look, after all values were read, whether they are what the first of them seemed to be.

        Raises
        ------
        ValueError
            Where they are not.
        """
        if not isinstance(self.matrix, StoredRows):
            return
        units, logged = self.matrix.seen.units, self.matrix.change is None
        expected = {"log-normalized"} if logged else {"counts", "linear", *(["log-normalized"] if self.small else [])}
        if units not in expected:
            msg = (
                f"{self.matrix.where} holds {units} values, which its first cells did not look like; make all cells "
                "alike, and call scclr_ext.pp.contrastive_preprocess(adata)."
            )
            raise ValueError(msg)


def read_model_input(
    adata: AnnData, *, layer: str | None, mask_var: str | NDArray[np.bool_] | None, batch_key: str | None
) -> ModelInput:
    """Read and check everything :func:`scclr_ext.tl.contrastive_embed` needs; changes nothing.

    Values that are not in memory are only looked at; they are read and checked while the model is trained.
    """
    check_unique(adata)
    recipe = deferred_record(adata, layer)
    if recipe is not None and layer is None and recipe["layer"] != "X":
        layer = str(recipe["layer"])
    where = name_of(layer)
    matrix = get_matrix(adata, layer)
    if adata.n_obs < _MIN_CELLS:
        msg = f"adata has {adata.n_obs} cell; a contrast needs at least {_MIN_CELLS}."
        raise ValueError(msg)
    var = frame(adata.var)
    if isinstance(mask_var, str) and mask_var == "auto":
        mask_var = _keys.HIGHLY_VARIABLE_VAR if _keys.HIGHLY_VARIABLE_VAR in var else None
    mask = gene_mask(var, mask_var, argument="mask_var", hint=_HINT)
    if not mask.any():
        msg = "`mask_var` selects no gene; call scclr_ext.pp.contrastive_preprocess(adata) to choose some."
        raise ValueError(msg)
    batches = None if batch_key is None else batch_codes(adata, batch_key)
    genes = None if mask.all() else np.flatnonzero(mask)
    values: np.ndarray | sparse.csr_matrix | sparse.csr_array | StoredRows
    if is_stored(matrix):
        values = StoredRows(matrix, where=where, genes=genes)
        values.look()
        seen = values.seen
    else:
        values, seen = to_memory(matrix if genes is None else matrix[:, genes], where=where), UnitsSoFar()
        seen.add(values)
    # Scaled with moments of its own, a model would fit no other cells: a query, or these same cells once unscaled.
    check_not_scaled(seen.units, where)
    target_sum = None
    if recipe is None and seen.units in {"counts", "linear"}:
        found = "raw counts" if seen.units == "counts" else "values that are not logarithms"
        remedy = "call scclr_ext.pp.contrastive_preprocess(adata) first"
        prepared = adata.uns.get(_keys.PREPROCESS_UNS)
        if layer is not None and isinstance(prepared, Mapping) and not prepared.get("deferred", True):
            remedy = "preprocessing has put log-normalised values into adata.X: leave `layer` out"
        msg = f"{where} holds {found}; {remedy}."
        raise ValueError(msg)
    if recipe is not None and still_deferred(adata, recipe, matrix, seen.units):
        factor, target_sum = deferred_factors(adata, recipe)
        if isinstance(values, StoredRows):
            values.change = lambda part, _, cells: log_normalize(part, factor[cells])
        else:
            values = apart(values, matrix)
            log_normalize(values, factor)
    return ModelInput(
        matrix=values,
        genes=adata.var_names[mask].to_numpy(dtype=str),
        batches=batches,
        layer=layer or "X",
        mask_var=mask_var if isinstance(mask_var, str) else ("all genes" if mask_var is None else "array"),
        batch_key=batch_key or "",
        target_sum=find_target_sum(adata, matrix, layer) if target_sum is None else target_sum,
        deferred=target_sum is not None,
        small=recipe is not None and recipe["input"] == "linear",
    )


def look_at_logarithms(adata: AnnData, data: ModelInput, *, check_values: bool | None = None) -> None:
    """Look whether values are logarithms of one library size, or still what preprocessing has made of them.

    Parameters
    ----------
    adata
        What the values are of.
    data
        What was read of it.
    check_values
        Refuse what seems to be no logarithms; None where nobody can say otherwise: of values that preprocessing has not
        seen nothing is said then.

    Raises
    ------
    ValueError
        Where they are to another base, or no logarithms.
    """
    if data.deferred:
        return
    record = adata.uns.get(_keys.PREPROCESS_UNS)
    record = record if isinstance(record, Mapping) and data.layer == "X" else {}
    if adata.n_obs <= int(record.get("n_obs", 0)):
        asked = check_values is not False and record.get("check_values", False)
        # Of fewer genes it cannot be told, and of values in a file it would have to be read again.
        if asked and adata.n_vars == record["n_vars"] and not isinstance(data.matrix, StoredRows):
            check_unaltered(_some_of(adata, data), where=name_of(None))
        return
    if check_values is None:
        return
    layer = None if data.layer == "X" else data.layer
    cells, where = _some_of(adata, data), name_of(layer)
    if check_values:
        check_logarithms(adata, cells, layer=layer, where=where, refuse=False)
    if sizes := several_sizes(cells):
        warn(normalized_apart(where, sizes))


def _some_of(adata: AnnData, data: ModelInput) -> np.ndarray | sparse.csr_matrix | sparse.csr_array:
    """Read all genes of some cells, from where the model's were read."""
    if adata.is_view and not adata.isbacked:  # whose values would all be copied
        adata = adata[some_rows(adata.n_obs)]
    layer = None if data.layer == "X" else data.layer
    return some_cells(get_matrix(adata, layer), name_of(layer), together=isinstance(data.matrix, StoredRows))
