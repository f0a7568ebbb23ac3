"""What `tl.stability` is to repeat, and what it compares the runs with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scclr_ext._categories import labels_of
from scclr_ext.engine.methods import resolve
from scclr_ext.tl._repeats.repeat import Recorded, recorded_embedding

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext.engine.config import MethodConfig


def what_to_repeat(
    adata: AnnData,
    method: str | MethodConfig | None,
    *,
    key: str,
    device: str,
    preset: str | None,
    layer: str | None,
    mask_var: str | NDArray[np.bool_] | None,
    batch_key: str | None,
) -> Recorded:
    """Return what the arguments of :func:`scclr_ext.tl.stability` mean: what they say, or what `uns[key]` records.

    Raises
    ------
    ValueError
        Where there is no `method`, and another argument contradicts the record.
    """
    if method is not None:
        return Recorded(resolve(method, preset), layer, mask_var, batch_key)
    given: dict[str, Any] = {"preset": preset, "layer": layer, "mask_var": mask_var, "batch_key": batch_key}
    usual = {"mask_var": "auto"}
    for name, value in given.items():
        if not isinstance(value, str | None) or value != usual.get(name):
            msg = (
                f"`{name}` goes with a `method`; without one the recorded embedding is repeated as it was. "
                f"Leave `{name}` out, or name the `method`."
            )
            raise ValueError(msg)
    return recorded_embedding(adata, key, device)


def known_labels(adata: AnnData, labels: str | None) -> pd.Categorical | None:
    """Return the labels in `obs[labels]`; None where none are asked for.

    Raises
    ------
    KeyError
        Where there is no such column.
    ValueError
        Where no cell has a label, or nearly every cell one of its own.
    """
    if labels is None:
        return None
    known = labels_of(adata, labels, "labels")
    if not (known.codes >= 0).any():
        msg = f"adata.obs[{labels!r}] (`labels`) has no labels; fill it in or leave `labels` out."
        raise ValueError(msg)
    return known
