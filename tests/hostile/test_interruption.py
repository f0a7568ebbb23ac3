"""Ctrl-C at any of our own calls leaves an AnnData as it was, or, once all is written, complete."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import scclr_ext as clr
from anndata_state import freeze_adata
from hostile.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    import anndata as ad

PACKAGE = str(Path(clr.__file__).parent)
WRITING = [name for name in ROWS if name.startswith(("pp.", "tl.")) and name != "tl.map_query (reference)"]
N_DRAWN, N_LAST = 6, 10
NOBODY_HEARS = {"getrandbits", "randint", "<genexpr>"}
"""What these raise is dropped: by igraph, and by Python (from 3.12 on) where it ends a generator that was left."""

pytestmark = pytest.mark.filterwarnings("ignore:(Do not trust|The contributions to|The graphs hardly|.* of the query)")


def count_calls(work: Callable[[], Any], *, stop_at: int | None = None) -> int:
    """Count the calls of our own functions that `work` makes; press Ctrl-C at one of them."""
    seen = 0

    def trace(frame: Any, event: str, _arg: object) -> None:
        nonlocal seen
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and code.co_name not in NOBODY_HEARS:
            seen += 1
            if seen == stop_at:
                raise KeyboardInterrupt

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(earlier)
    return seen


# Of what earlier calls left, the keys that a call reads; all others are taken away before it.
READS = {
    "tl.contrastive_cluster": ("X_clr",),
    "tl.contrastive_pseudotime": ("X_clr",),
    "tl.gene_attribution": ("clr", "clr_preprocess", "X_clr", "highly_variable", "log1p"),
    "tl.stability (recorded)": ("clr", "clr_preprocess", "X_clr", "highly_variable", "log1p"),
}


def forget(adata: ad.AnnData, kept: tuple[str, ...]) -> None:
    for slot in (adata.obs, adata.var, adata.uns, adata.obsm, adata.varm, adata.obsp):
        for key in [key for key in slot if key not in (*kept, "group", "batch", "donor", "score", "stage")]:
            del slot[key]


def parts(adata: ad.AnnData) -> dict[str, Any]:
    """What there is, without values: seconds are part of a record, and differ."""
    slots = ("layers", "uns", "obsm", "varm", "obsp", "varp", "obs", "var")
    return {slot: sorted(map(str, getattr(adata, slot).keys())) for slot in slots}


@pytest.mark.parametrize("name", WRITING)
def test_interrupted_anywhere(bases, name) -> None:
    base, call = bases[ROWS[name].base].copy(), ROWS[name].call
    forget(base, READS.get(name, ()))  # so that what is written shows
    before = freeze_adata(base)
    call(base.copy())  # caches are filled, and numba has compiled
    whole = base.copy()
    n_calls = count_calls(lambda: call(whole))
    assert n_calls > 5
    drawn = np.random.default_rng(0).integers(1, n_calls, N_DRAWN).tolist()
    ends = range(max(1, n_calls - N_LAST + 1), n_calls + 1)  # results are written there
    stopped = 0
    for stop_at in sorted({1, *drawn, *ends}):
        adata = base.copy()
        try:
            count_calls(lambda adata=adata: call(adata), stop_at=stop_at)
        except KeyboardInterrupt:
            stopped += 1
            assert freeze_adata(adata) == before or parts(adata) == parts(whole), f"call {stop_at} of {n_calls}"
    assert stopped >= N_LAST // 2
    assert threading.active_count() < 20  # readers ahead have ended
