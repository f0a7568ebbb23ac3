"""The most central cell of a group."""

from __future__ import annotations

import numpy as np

from scclr_ext.tl._pseudotime import root as module


def test_the_most_central_cell_is_found_a_few_cells_at_a_time(monkeypatch) -> None:
    rep = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    cells = np.arange(0, 300, 2)
    distances = np.linalg.norm(rep[cells][:, None] - rep[cells], axis=2)
    compare, sizes = module.pairwise_distances, []
    monkeypatch.setattr(module, "pairwise_distances", lambda x, y: sizes.append(len(x)) or compare(x, y))
    monkeypatch.setattr(module, "_CHUNK", 40)
    assert module._medoid(rep, cells) == cells[distances.sum(axis=1).argmin()]
    assert sizes == [40, 40, 40, 30]
