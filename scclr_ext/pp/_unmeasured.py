"""Genes that look as if they had not been measured in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scclr_ext.engine.moments import Moments

_EXPECTED_CELLS = 10
_SHARE = 0.1
"""Of the chosen genes. Where all were measured, at most 6 % were like this in eight studies: markers of types that a
batch lacks, and what one technology does not catch."""


def unmeasured(moments: Moments, chosen: NDArray[np.bool_], batches: list[str], batch_key: str) -> str | None:
    """Say of which batch many of the chosen genes are missing, or None.

    Parameters
    ----------
    moments
        Of several batches.
    chosen
        Which genes the model will see.
    batches, batch_key
        What the batches are called.
    """
    if len(moments.n) < 2:
        return None
    seen = moments.seen[:, chosen]
    n_others = moments.n.sum() - moments.n
    expected = (seen.sum(axis=0) - seen) * (moments.n / np.maximum(n_others, 1))[:, None]
    missing = ((seen == 0) & (expected >= _EXPECTED_CELLS)).sum(axis=1)
    missing[~moments.seen.any(axis=1)] = 0  # empty cells
    worst = int(missing.argmax())
    if missing[worst] <= _SHARE * chosen.sum():
        return None
    return (
        f"{missing[worst]} of the {chosen.sum()} chosen genes have no count in any cell of batch {batches[worst]!r} "
        f"(obs[{batch_key!r}]), though other batches have them in many. If they were not measured there (ad.concat "
        "with join='outer' fills in zeros), they tell its cells from all others: join with join='inner', or leave them "
        "out with `mask_genes`."
    )
