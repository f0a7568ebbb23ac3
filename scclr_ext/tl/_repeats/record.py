"""What is kept in `uns` about repeated runs: plain values that survive a file."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

import scclr_ext
from scclr_ext._records import UNSURE
from scclr_ext.tl._repeats.comparison import compare, per_cluster

if TYPE_CHECKING:
    from scclr_ext._keys import StabilityKeys
    from scclr_ext.engine.methods import Resolved
    from scclr_ext.tl._clustering.find_clusters import ClusterOptions
    from scclr_ext.tl._embedding.model_input import ModelInput
    from scclr_ext.tl._repeats.consensus import Consensus
    from scclr_ext.tl._repeats.run_once import SeedRun


def stability_record(
    choice: Resolved,
    data: ModelInput,
    options: ClusterOptions,
    agreed: Consensus,
    runs: list[SeedRun],
    keys: StabilityKeys,
    *,
    obsm_key: str,
    labels: str,
    random_state: int,
    seeds: list[int],
) -> dict[str, Any]:
    """Build `uns["clr_stability"]`, which :func:`scclr_ext.get.stability` reads."""
    table, ari, overlap, per_cell = compare(runs)
    return {
        "params": {
            "method": choice.method,
            "preset": choice.preset,
            "obsm_key": obsm_key,
            "layer": data.layer,
            "mask_var": data.mask_var,
            "batch_key": data.batch_key,
            "n_cells": len(agreed.labels),
            "n_genes": len(data.genes),
            "cluster_method": options.method,
            "n_neighbors": options.n_neighbors,
            "labels": labels,
            "clusters_key": keys.clusters,
            "confidence_key": keys.confidence,
            **({"resolution": options.resolution} if options.resolution is not None else {}),
            **({"n_clusters": options.n_clusters} if options.n_clusters is not None else {}),
        },
        "random_state": random_state,
        "versions": {"scclr_ext": scclr_ext.__version__, "torch": version("torch")},
        "runs": {"seed": np.array(seeds, dtype=np.int64), **table},
        "ari": ari,
        "neighbor_overlap": overlap,
        "clusters": per_cluster(agreed.labels, agreed.confidence, per_cell),
        "unsure": float((agreed.confidence < UNSURE).mean()),
    }
