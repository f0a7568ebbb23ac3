"""Reading the sweep that `tl.contrastive_cluster` left, with errors that say what to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scclr_ext._records import CLUSTERS, find_record
from scclr_ext._stale import warn_of_earlier_training
from scclr_ext.get._columns import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData

SWEEP_COLUMNS = (
    "resolution",
    "n_clusters",
    "modularity",
    "separation",
    "separation_q10",
    "calinski_harabasz",
    "silhouette",
    "score",
    "weight",
    "expected_ari",
)
_FLOW_COLUMNS = ("step", "source", "target", "n_cells")


@dataclass(frozen=True)
class Choice:
    """Which candidate was taken, and how sure that is."""

    index: int
    """Row of the candidate; -1 where all cells were left in one cluster, as nothing is separated or comes out again."""
    n_clusters: int
    expected_ari: float
    margin: float
    """How much higher the score is than the runner-up's; infinite where there is none."""
    runner_up: int
    """Number of clusters of the runner-up; 0 where there is none."""
    stability: float = float("nan")
    """Agreement with clusterings of subsets of the cells; like `confidence` NaN where it was not recorded."""
    confidence: float = float("nan")


class Sweep(NamedTuple):
    """One sweep: a row per candidate, the choice, and a row per stream of cells between neighbouring candidates."""

    table: pd.DataFrame
    choice: Choice
    flow: pd.DataFrame

    @property
    def axis(self) -> str:
        """Column of the table that was swept: methods without a resolution try numbers of clusters."""
        return "resolution" if "resolution" in self.table else "n_clusters"


def read_sweep(adata: AnnData, key: str) -> Sweep:
    """Find the sweep recorded under `adata.uns[key]`, and warn where the cells were embedded again since."""
    record = find_record(adata, key, CLUSTERS)
    if not {"sweep", "choice", "flow"} <= set(record):
        msg = (
            f"adata.uns[{key!r}] holds no sweep: the resolution or the number of clusters was given, or the method "
            f"({record['params'].get('method')!r}) finds it by itself. Call `scclr_ext.tl.contrastive_cluster(adata)` "
            "without `resolution` and `n_clusters`, for example with method='leiden'."
        )
        raise ValueError(msg)
    warn_of_earlier_training(adata, key, CLUSTERS)
    return Sweep(
        table_of(record["sweep"], SWEEP_COLUMNS), _choice(record["choice"]), table_of(record["flow"], _FLOW_COLUMNS)
    )


def _choice(values: Mapping[str, Any]) -> Choice:
    return Choice(
        index=int(values["index"]),
        n_clusters=int(values["n_clusters"]),
        expected_ari=float(values["expected_ari"]),
        margin=float(values["margin"]),
        runner_up=int(values["runner_up"]),
        stability=float(values.get("stability", np.nan)),
        confidence=float(values.get("confidence", np.nan)),
    )
