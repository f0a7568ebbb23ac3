"""How many cells are looked at together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scclr_ext._values.stored import StoredRows
from scclr_ext.engine import hold
from scclr_ext.engine.moments import Moments
from scclr_ext.pp._gather import gather, normalize


@pytest.mark.parametrize("stored", [False, True])
def test_with_many_batches_more_cells_are_looked_at_together(monkeypatch, stored) -> None:
    monkeypatch.setattr(hold, "block_rows", lambda n_genes: 10)
    sizes, add = [], Moments.add
    monkeypatch.setattr(Moments, "add", lambda self, block, codes: sizes.append(len(codes)) or add(self, block, codes))
    rng = np.random.default_rng(0)
    values, codes = sparse.csr_matrix(rng.poisson(0.5, (100, 7)).astype(np.float32)), np.arange(100) % 5
    if stored:
        found = gather(StoredRows(values, where="X"), codes, 1e4)
    else:
        found = normalize(values.copy(), codes, 1e4, units="counts")
    assert sizes == [40, 40, 20]
    assert found.moments.n.tolist() == [20] * 5
