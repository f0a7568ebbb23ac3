"""What a mapping writes beside the embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from scclr_ext._keys import MappingKeys
    from scclr_ext.io import Model, Reference
    from scclr_ext.tl._mapping.query import QueryInput
    from scclr_ext.tl._mapping.transfer import Assessment


def columns_of(found: Assessment | None, cells: Reference | None, keys: MappingKeys) -> dict[str, Any]:
    """Return the columns of `obs`: none without reference cells, no label without labelled ones."""
    if found is None or cells is None:
        return {}
    columns: dict[str, Any] = {}
    if found.codes is not None:
        columns[keys.label] = pd.Categorical.from_codes(found.codes, categories=list(cells.labels))
        columns[keys.confidence] = found.confidence
    return columns | {keys.novelty: found.novelty, keys.novel: found.novel}


def colors_of(reference: Any, cells: Reference | None) -> list[str] | None:
    """Return the reference's colours of its labels, where it has one for each."""
    colors = getattr(reference, "uns", {}).get(f"{cells.column}_colors") if cells is not None else None
    return list(colors) if colors is not None and cells is not None and len(colors) == len(cells.labels) else None


def record_of(model: Model, query: QueryInput, found: Assessment | None, **options: Any) -> dict[str, Any]:
    """Return what `uns` keeps of a mapping."""
    record: dict[str, Any] = {
        "params": {
            "method": model.method,
            "n_genes": len(model.genes),
            "n_shared": len(query.places),
            "n_empty": int(query.empty.sum()),
            "units": query.units,
            "target_sum": query.rescaled,
            **options,
        },
        "missing_genes": query.missing.astype(str),
    }
    return record if found is None else record | {"held_out": found.held_out}
