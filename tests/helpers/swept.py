"""An AnnData as `tl.contrastive_cluster` leaves it after a sweep over resolutions, made without clustering."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData


def by_size(labels: np.ndarray) -> np.ndarray:
    names, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return rank[inverse]


def flow_of(partitions: list[np.ndarray]) -> dict[str, np.ndarray]:
    rows = []
    for step, (before, after) in enumerate(zip(partitions[:-1], partitions[1:], strict=True)):
        counts = pd.DataFrame({"source": before, "target": after}).value_counts(sort=False).reset_index(name="n_cells")
        rows.append(counts.assign(step=step))
    names = ["step", "source", "target", "n_cells"]
    table = pd.concat(rows) if rows else pd.DataFrame(columns=names, dtype=np.int64)
    return {name: table[name].to_numpy(dtype=np.int64) for name in names}


def sweep_record(
    partitions: list[np.ndarray], resolutions: np.ndarray, index: int, criteria: dict[str, np.ndarray] | None = None
) -> dict[str, Any]:
    """The record in `uns` for partitions that are numbered by size; invented criteria unless given."""
    n = len(partitions)
    n_clusters = np.array([labels.max() + 1 for labels in partitions])
    x = np.arange(n) - max(index, 0)
    weight = np.exp(-0.5 * (x / 1.5) ** 2)
    made = {
        "modularity": 0.9 - 0.4 * np.arange(n) / max(n, 2),
        "separation": 1 - 0.04 * np.arange(n),
        "separation_q10": 0.9 - 0.06 * np.arange(n),
        "calinski_harabasz": np.where(n_clusters > 1, 500 - 20.0 * np.abs(x), np.nan),
        "silhouette": np.where(n_clusters > 1, 0.5 - 0.02 * np.abs(x + 1), np.nan),
        "score": 1 - 0.1 * np.abs(x),
        "weight": weight / weight.sum() if index >= 0 else np.zeros(n),
        "expected_ari": 0.85 - 0.03 * np.abs(x) if index >= 0 else np.full(n, np.nan),
    } | (criteria or {})
    found = n_clusters[index] if index >= 0 else 1
    others = [k for k in n_clusters if k not in {found, 1}]
    return {
        "params": {
            "use_rep": "X_clr",
            "method": "leiden",
            "resolution": float(resolutions[max(index, 0)]),
            "n_clusters": int(found),
            "random_state": 0,
        },
        "sweep": {"resolution": np.asarray(resolutions, dtype=float), "n_clusters": n_clusters, **made},
        "choice": {
            "index": index,
            "n_clusters": int(found),
            "expected_ari": float(made["expected_ari"][index]) if index >= 0 else float("nan"),
            "margin": 0.04 if others and index >= 0 else float("inf" if index >= 0 else "nan"),
            "runner_up": int(others[0]) if others and index >= 0 else 0,
        },
        "flow": flow_of(partitions),
    }


def make_swept(
    n_obs: int = 600,
    counts: tuple[int, ...] = (1, 2, 3, 3, 5, 8),
    index: int = 3,
    *,
    moving: float = 0.02,
    seed: int = 0,
) -> AnnData:
    """Nested partitions into so many clusters, in which a share `moving` of the cells is somewhere else each time."""
    rng = np.random.default_rng(seed)
    place = rng.random(n_obs)
    cuts = rng.permutation(np.linspace(0, 1, max(counts) + 1)[1:-1] ** 1.4)
    partitions = []
    for k in counts:
        seen = np.where(rng.random(n_obs) < moving, rng.random(n_obs), place)
        partitions.append(by_size(np.searchsorted(np.sort(cuts[: k - 1]), seen)))
    adata = AnnData(obs=pd.DataFrame(index=[f"cell{i}" for i in range(n_obs)]))
    labels = partitions[index] if index >= 0 else np.zeros(n_obs, dtype=int)
    names = [str(i) for i in range(labels.max() + 1)]
    adata.obs["clr_clusters"] = pd.Categorical.from_codes(labels, names)
    adata.obs["type"] = pd.Categorical([f"type{int(p * 4)}" for p in place])
    adata.uns["clr_clusters"] = sweep_record(partitions, np.geomspace(0.05, 3, len(counts)), index)
    return adata
