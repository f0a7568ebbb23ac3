"""Embed and score sets that had no say in any setting: ``python -m benchmarks.unseen --folder /somewhere``.

Fetches the sets (160 MB of packages), and does with them what benchmarks.quality does with those in SCCLR_DATA.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import _options
from benchmarks.quality import sets
from benchmarks.quality.__main__ import measure_all
from benchmarks.quality.methods import METHODS
from benchmarks.unseen import table
from benchmarks.unseen.data import prepare

RESULTS = Path(__file__).with_name("results.csv")
SHOWN = ("PCA", "Harmony", "Concord", "scVI", "clear", "scclr")


def main() -> None:
    """Fetch the sets, measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the sets are kept")
    parser.add_argument("--methods", nargs="+", default=SHOWN, choices=METHODS)
    args = _options.read(parser, results=RESULTS, seeds=3)
    prepare(args.folder)
    sets.FOLDER = args.folder
    table.write(measure_all(args, args.methods))


if __name__ == "__main__":
    main()
