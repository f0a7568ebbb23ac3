"""Figures over what `tl` wrote; each has a function in `get` that returns the tables it shows."""

from __future__ import annotations

from scclr_ext.pl._embedding_qc import embedding_qc

__all__ = ["embedding_qc"]
