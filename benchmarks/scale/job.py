"""One measurement, in a process of its own: ``python -m benchmarks.scale.job '{"path": ...}'`` prints JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Preprocess, embed, write back, cluster; say how long each took, and how much memory without and with the last."""
    job = json.loads(sys.argv[1])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])
    warnings.filterwarnings("ignore")
    import anndata as ad
    import torch

    import scclr_ext as clr

    torch.set_num_threads(job["threads"])
    clr.settings.progress = False
    said: dict[str, Any] = {}
    with measured("read", said):
        adata = ad.read_h5ad(job["path"], backed="r+" if job["place"] == "file" else None)
    genes = {} if job["genes"] else {"mask_var": None}
    with measured("preprocess", said):
        clr.pp.contrastive_preprocess(adata, n_top_genes=job["genes"] or None, defer=job["place"] == "memory, deferred")
    with measured("embed", said):
        clr.tl.contrastive_embed(adata, job["method"], n_steps=job["steps"] or None, device="cpu", **genes)
    with measured("write", said):
        _write(adata, job)
    said["stored"] = _stored_per_cell(adata)
    said["gigabytes"] = _peak()
    said["n_steps"] = adata.uns["clr"]["params"]["n_steps"]
    if job["genes"]:
        with measured("cluster", said):
            clr.tl.contrastive_cluster(adata)
        said["cluster_gigabytes"] = _peak()
    print(json.dumps(said))


@contextmanager
def measured(name: str, said: dict[str, Any]) -> Iterator[None]:
    """Note the seconds that pass, and those that the processor works."""
    wall, busy = time.perf_counter(), _busy()
    yield
    said[name], said[f"{name}_cpu"] = time.perf_counter() - wall, _busy() - busy


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def _stored_per_cell(adata: Any) -> float:
    """Values of the model's genes that are not zero, of the first cells."""
    from scclr_ext._values.matrix import get_matrix

    genes = adata.var["highly_variable"].to_numpy()
    return float((get_matrix(adata, None)[:500][:, genes] != 0).sum() / min(500, adata.n_obs))


def _write(adata: Any, job: dict[str, Any]) -> None:
    if job["place"] == "file":
        adata.write_h5ad()  # X stays where it is
    else:
        written = Path(job["path"]).with_suffix(".written.h5ad")
        adata.write_h5ad(written)
        written.unlink()


if __name__ == "__main__":
    main()
