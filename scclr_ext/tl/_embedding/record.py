"""What is kept in `uns` about an embedding: plain values that survive a file."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

import scclr_ext
from scclr_ext import _keys
from scclr_ext.engine.model import weights_of
from scclr_ext.io._document import SCHEMA_VERSION

if TYPE_CHECKING:
    from scclr_ext._keys import EmbeddingKeys
    from scclr_ext.engine.methods import Resolved
    from scclr_ext.engine.run import Run
    from scclr_ext.tl._embedding.model_input import ModelInput


def embedding_record(
    choice: Resolved, data: ModelInput, result: Run, keys: EmbeddingKeys, *, random_state: int, keep_weights: bool
) -> dict[str, Any]:
    """Build `uns["clr"]`; :func:`scclr_ext.io._get_model.get_model` makes a model of it again."""
    config = choice.config
    components = result.data.components
    record = {
        "schema_version": SCHEMA_VERSION,
        "params": {
            "method": choice.method,
            "preset": choice.preset,
            "obsm_key": keys.obsm,
            "layer": data.layer,
            "mask_var": data.mask_var,
            "batch_key": data.batch_key,
            "n_cells": result.data.n_cells,
            "n_genes": result.data.n_genes,
            "n_components": 0 if components is None else len(components),
            "batch_size": min(config.batch_size, result.data.n_cells),
            "n_steps": int(result.history["step"][-1]),
            "chance_loss": float(result.history["chance"][-1]),
            "config": {name: _plain(value) for name, value in config.record().items()},
        },
        "random_state": random_state,
        "device": result.device,
        "precision": result.precision,
        "versions": {"scclr_ext": scclr_ext.__version__, "torch": version("torch")},
        "genes": data.genes,
        "mean": result.data.mean,
        "std": result.data.std,
        "preprocess": {"target_sum": data.target_sum, "library_share": data.library_share()},
        "history": {name: np.asarray(column) for name, column in result.history.items()},
    }
    if keep_weights:
        record[_keys.WEIGHTS] = weights_of(result.method, result.data.n_genes)
    return record


def _plain(value: Any) -> Any:
    # A list would come back from a file as an array: write it as one.
    return np.array(value, dtype=np.int64) if isinstance(value, list) else value
