"""The options that benchmarks share."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def read(parser: ArgumentParser, *, results: Path, seeds: int, embeddings: bool = True) -> Namespace:
    """Add the shared options, read the command line, and set the number of threads; warnings are silenced."""
    parser.add_argument("--sets", nargs="+", default=None)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="measure anew what is in the results already")
    parser.add_argument("--results", type=Path, default=results)
    if embeddings:
        parser.add_argument("--embeddings", type=Path, help="keep embeddings in this folder, and use those found there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    return args
