"""From a plan and its annotation to an AnnData, in memory or on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
from scipy import sparse
from tqdm.auto import tqdm

from scclr_ext import _keys
from scclr_ext._settings import report, settings
from scclr_ext.datasets._blocks import draw_chunks
from scclr_ext.datasets._h5ad import write_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    import pandas as pd

    from scclr_ext.datasets._blocks import Chunk, Plan


def assemble(
    plan: Plan,
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    record: dict[str, Any],
    path: str | PathLike[str] | None = None,
    compression: str | None = None,
    chunk_size: int,
    n_jobs: int,
    progress: bool | None = None,
) -> ad.AnnData:
    """Draw the counts and put them together with what is known about cells and genes."""

    def uns(n_nonzero: int, n_dropped: int) -> dict[str, Any]:
        return {_keys.SIMULATION_UNS: record | {"n_nonzero": n_nonzero, "n_dropped": n_dropped}}

    chunks = draw_chunks(plan, chunk_size=chunk_size, n_jobs=n_jobs)
    if path is None:
        drawn = list(chunks)
        counts = sparse.vstack([chunk.counts for chunk in drawn], format="csr")
        return ad.AnnData(counts, obs=obs, var=var, uns=uns(counts.nnz, sum(chunk.n_dropped for chunk in drawn)))

    show = settings.shows(progress)
    target = Path(path)
    if not target.parent.is_dir():
        msg = f"`path` is {str(target)!r}, and there is no folder {str(target.parent)!r}; make it first."
        raise FileNotFoundError(msg)
    with tqdm(total=plan.shape[0], desc="Simulating", unit="cell", disable=not show, leave=False) as bar:
        write_chunks(target, _counted(chunks, bar), obs=obs, var=var, uns=uns, compression=compression)
    report(f"wrote {plan.shape[0]} cells and {plan.shape[1]} genes to {target}")
    return ad.read_h5ad(target, backed="r")


def _counted(chunks: Iterator[Chunk], bar: Any) -> Iterator[Chunk]:
    for chunk in chunks:
        yield chunk
        bar.update(chunk.counts.shape[0])
