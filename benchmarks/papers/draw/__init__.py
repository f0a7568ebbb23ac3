"""Figures of the experiments, from their tables."""

from __future__ import annotations

from benchmarks.papers.draw._dots import dots
from benchmarks.papers.draw._lines import complete, lines
from benchmarks.papers.draw._style import COLORS, color, legend, panels, tidy

__all__ = ["COLORS", "color", "complete", "dots", "legend", "lines", "panels", "tidy"]
