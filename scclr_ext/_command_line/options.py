"""What the command line understands."""

from __future__ import annotations

import argparse
from pathlib import Path

import scclr_ext

_DEMO_FOLDER = "demo_output"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the commands `embed` and `demo`."""
    top = argparse.ArgumentParser(prog="scclr_ext", description=scclr_ext.__doc__)
    top.add_argument("--version", action="version", version=scclr_ext.__version__)
    commands = top.add_subparsers(dest="command", required=True)

    embed = commands.add_parser("embed", help="preprocess, embed and cluster an .h5ad file")
    embed.add_argument("input", type=Path, help="counts, .h5ad")
    embed.add_argument("output", type=Path, help="the same file with the embedding and the clusters")
    embed.add_argument("--compression", choices=("gzip", "lzf"), help="compress the output (takes longer)")
    _add_options(embed).add_argument("--no-cluster", action="store_true", help="only embed")

    demo = commands.add_parser("demo", help="the whole job with figures, on cells that come with scanpy")
    demo.add_argument("input", type=Path, nargs="?", help="your own .h5ad instead")
    demo.add_argument("--out", type=Path, default=Path(_DEMO_FOLDER), help="folder to write to (%(default)s)")
    _add_options(demo)
    demo.set_defaults(no_cluster=False)
    return top


def _add_options(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Add what both commands take; returned is the group of what is said about clusters."""
    add = parser.add_argument
    add("--method", help="scclr, clear or contrastive-sc (scclr with --batch-key, else clear)")
    add("--preset", help="default, paper or code")
    add("--layer", help="take the values from this layer")
    add("--batch-key", help="column of obs with the batch of each cell")
    add("--n-top-genes", type=_count, help="genes the model sees")
    add("--key-added", help="write to this key instead of X_clr, and the clusters to KEY_ADDED_clusters")
    add("--early-stopping", action="store_true", help="end the training once the embedding has settled")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--n-epochs", type=_count, help="train for this many passes over the cells")
    length.add_argument("--n-steps", type=_count, help="train for this many minibatches")
    clusters = parser.add_mutually_exclusive_group()
    clusters.add_argument("--resolution", type=float, help="resolution of the Leiden clustering")
    clusters.add_argument("--n-clusters", type=_count, help="number of clusters wanted (chosen where not given)")
    add("--no-preprocess", action="store_true", help="the values are ready for the model")
    add("--no-check-values", action="store_true", help="take logarithms as they are, whatever they look like")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (%(default)s)")
    add("--devices", type=int, default=1, help="processes on this machine, one GPU each (%(default)s)")
    add("--num-nodes", type=int, default=1, help="machines, under torchrun or SLURM (%(default)s)")
    add("--precision", default="auto", help="auto, float32, tf32 or bf16 (%(default)s)")
    add("--checkpoint-dir", type=Path, help="save the state of the training here now and then")
    add("--resume", action="store_true", help="go on with the training saved in --checkpoint-dir")
    add("--random-state", type=int, default=0, help="seed (%(default)s)")
    add("--quiet", action="store_true", help="say nothing but the result")
    return clusters


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        msg = f"must be a whole number of at least 1; found {text}"
        raise argparse.ArgumentTypeError(msg)
    return value
