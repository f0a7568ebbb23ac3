"""From an AnnData to what the engine takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scclr_ext import _keys
from scclr_ext._anndata import batch_codes, check_unique, get_matrix, to_memory
from scclr_ext._units import guess_units
from scclr_ext.tl._library_size import find_target_sum

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

_MIN_CELLS = 2


@dataclass(frozen=True)
class ModelInput:
    """Values of the model's genes, and where they came from."""

    matrix: np.ndarray | sparse.csr_matrix | sparse.csr_array
    genes: NDArray[np.str_]
    batches: NDArray[np.int64] | None
    layer: str
    mask_var: str
    batch_key: str
    target_sum: float
    """Library size the cells were brought to before the logarithm; 0 where it is not known."""


def read_model_input(
    adata: AnnData, *, layer: str | None, mask_var: str | NDArray[np.bool_] | None, batch_key: str | None
) -> ModelInput:
    """Read and check everything :func:`scclr_ext.tl.contrastive_embed` needs; changes nothing."""
    check_unique(adata)
    where = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    matrix = get_matrix(adata, layer)
    if adata.n_obs < _MIN_CELLS:
        msg = f"adata has {adata.n_obs} cell; a contrast needs at least {_MIN_CELLS}."
        raise ValueError(msg)
    if isinstance(mask_var, str) and mask_var == "auto":
        mask_var = _keys.HIGHLY_VARIABLE_VAR if _keys.HIGHLY_VARIABLE_VAR in adata.var else None
    mask = _gene_mask(adata, mask_var)
    values = to_memory(matrix[:, np.flatnonzero(mask)] if not mask.all() else matrix, where=where)
    units = guess_units(values)
    if units in {"counts", "linear"}:
        found = "raw counts" if units == "counts" else "values that are not logarithms"
        msg = f"{where} holds {found}; call scclr_ext.pp.contrastive_preprocess(adata) first."
        raise ValueError(msg)
    return ModelInput(
        matrix=values,
        genes=adata.var_names[mask].to_numpy(dtype=str),
        batches=None if batch_key is None else batch_codes(adata, batch_key),
        layer=layer or "X",
        mask_var=mask_var if isinstance(mask_var, str) else ("all genes" if mask_var is None else "array"),
        batch_key=batch_key or "",
        target_sum=find_target_sum(adata, matrix, layer),
    )


def _gene_mask(adata: AnnData, mask_var: str | NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if mask_var is None:
        return np.ones(adata.n_vars, dtype=bool)
    if isinstance(mask_var, str):
        if mask_var not in adata.var:
            msg = (
                f"`mask_var={mask_var!r}` is not a column of adata.var; call "
                "scclr_ext.pp.contrastive_preprocess(adata), or pass mask_var=None for all genes."
            )
            raise KeyError(msg)
        mask_var = adata.var[mask_var].to_numpy()
    mask = np.asarray(mask_var)
    if mask.dtype != bool or mask.shape != (adata.n_vars,):
        msg = (
            f"`mask_var` must be boolean with one entry per gene ({adata.n_vars}); "
            f"found {mask.dtype} of shape {mask.shape}."
        )
        raise ValueError(msg)
    if not mask.any():
        msg = "`mask_var` selects no gene; call scclr_ext.pp.contrastive_preprocess(adata) to choose some."
        raise ValueError(msg)
    return mask
