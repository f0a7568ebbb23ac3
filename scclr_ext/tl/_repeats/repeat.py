"""What it takes to embed the cells once more, as the record of an embedding says it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scclr_ext._anndata import names
from scclr_ext.engine.device import device_of
from scclr_ext.engine.methods import Resolved
from scclr_ext.io._document import Description, from_record
from scclr_ext.io._error import ModelError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


class Recorded(NamedTuple):
    """Settings of an embedding, and where its input is."""

    choice: Resolved
    layer: str | None
    mask_var: str | NDArray[np.bool_] | None
    batch_key: str | None
    precision: str = "auto"


def recorded_embedding(adata: AnnData, key: str, device: str) -> Recorded:
    """Read how `uns[key]` says the cells were embedded.

    The precision is that of the record where `device` is of the same kind; another kind may not have it.

    Raises
    ------
    KeyError
        Where there is no such record, or a gene of it is gone.
    ModelError
        Where it is no record of an embedding, a damaged one, or what is left of several that were joined.
    ValueError
        Where there is no such device.
    """
    if key not in adata.uns:
        msg = (
            f"adata.uns has no {key!r} (it has: {names(adata.uns)}), whose settings could be repeated. Call "
            "scclr_ext.tl.contrastive_embed(adata) first, or say which `method` to repeat."
        )
        raise KeyError(msg)
    record: Any = adata.uns[key]
    where = f"adata.uns[{key!r}]"
    try:
        known = Description(from_record(record, where))
    except ModelError as error:
        msg = f"{where} cannot be repeated: {error} Say which `method` to repeat, or embed the cells again."
        raise ModelError(msg) from error
    # By name: the column that chose them may say something else by now.
    missing = [gene for gene in known.genes if gene not in adata.var_names]
    if missing:
        msg = (
            f"adata lacks {len(missing)} of the {len(known.genes)} genes of the embedding in {where} "
            f"({missing[0]!r}, for example); embed the cells again."
        )
        raise KeyError(msg)
    same_kind = str(record.get("device", "")).split(":")[0] == device_of(device).type
    params = record["params"]
    layer, batch_key = str(params["layer"]), str(params["batch_key"])
    return Recorded(
        Resolved(str(params["method"]), str(params["preset"]), known.config),
        None if layer == "X" else layer,
        np.asarray(adata.var_names.isin(known.genes)),
        batch_key or None,
        str(record.get("precision", "auto")) if same_kind else "auto",
    )
