"""Seconds that importing the package adds to an empty interpreter."""

from __future__ import annotations

import resource
import subprocess
import sys

import pandas as pd

TURNS = 15


def measure() -> pd.DataFrame:
    """Time interpreters with and without the import in turns; the fastest of each counts."""
    best = {"pass": float("inf"), "import scclr_ext": float("inf")}
    for _ in range(TURNS):
        for code in best:
            before = _children()
            subprocess.run([sys.executable, "-c", code], check=True)
            best[code] = min(best[code], _children() - before)
    added = best["import scclr_ext"] - best["pass"]
    return pd.DataFrame({"seconds": {"an empty interpreter": best["pass"], "importing scclr_ext adds": added}})


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
