"""Data to try things on: simulated cells whose truth is known, and published studies."""

from __future__ import annotations

from scclr_ext.datasets._simulate_cells import simulate_cells

__all__ = ["simulate_cells"]
