"""A published preset goes with the genes that its paper chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scclr_ext import _keys
from scclr_ext._warn import warn
from scclr_ext.engine.methods import METHODS

if TYPE_CHECKING:
    from anndata import AnnData

    from scclr_ext.engine.methods import Resolved
    from scclr_ext.tl._embedding.model_input import ModelInput


def warn_of_other_recipe(adata: AnnData, choice: Resolved, data: ModelInput) -> None:
    """Warn where a published preset meets genes and values that were prepared after another method's recipe."""
    record = adata.uns.get(_keys.PREPROCESS_UNS)
    prepared_for = str(record.get("method", "")) if isinstance(record, Mapping) else ""
    if choice.preset not in {"paper", "code"} or data.mask_var != _keys.HIGHLY_VARIABLE_VAR:
        return
    if prepared_for in METHODS and METHODS[prepared_for].recipe != METHODS[choice.method].recipe:
        warn(
            f"The preset {choice.preset!r} of {choice.method!r} reads {len(data.genes)} genes that were chosen, and "
            f"values that were normalised, as {prepared_for!r} wants them: this is not what was published. Call "
            f"scclr_ext.pp.contrastive_preprocess(adata, {choice.method!r}) on the counts first."
        )
