"""The same job from a shell: `python -m scclr_ext embed in.h5ad out.h5ad`."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import scclr_ext
from scclr_ext import _keys
from scclr_ext._command_line.options import parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from anndata import AnnData
    from lightning_fabric import Fabric


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Parameters
    ----------
    argv
        The arguments; those of the process where None.
    """
    options = parser()
    args = options.parse_args(argv)
    if args.no_preprocess and args.n_top_genes is not None:
        options.error("--n-top-genes chooses genes, which --no-preprocess leaves out")
    settings = scclr_ext.settings
    before = settings.verbose, settings.progress
    settings.verbose, settings.progress = not args.quiet, not args.quiet and sys.stderr.isatty()
    speaks = True
    try:
        with _processes(args) as fabric:
            speaks = fabric is None or fabric.local_rank == 0  # one of each machine, whose files may be others
            (_demo if args.command == "demo" else _embed)(args, fabric)
    except (KeyError, TypeError, ValueError, OSError, FloatingPointError) as error:
        # What the user got wrong needs no traceback; the messages name the argument and the remedy.
        if speaks:
            said = str(error.args[0] if isinstance(error, KeyError) else error)
            print(f"error: {said.replace('pass `check_values=False`', 'give --no-check-values')}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        settings.verbose, settings.progress = before
    return 0


def analyse(adata: AnnData, args: argparse.Namespace, *, cluster: bool) -> None:
    """Preprocess (unless told not to), embed and cluster, in place."""
    from scclr_ext._checks import check_key_added, check_random_state
    from scclr_ext.engine.checkpoint import check_resume
    from scclr_ext.engine.device import device_of, precision_of
    from scclr_ext.engine.methods import resolve
    from scclr_ext.tl._clustering.find_clusters import ClusterOptions

    # What cannot work is told now, not after all cells were read, or trained on.
    method = args.method or ("scclr" if args.batch_key else "clear")
    resolve(method, args.preset)
    precision_of(args.precision, device_of(args.device))
    check_random_state(args.random_state)
    check_key_added(args.key_added, or_none=True)
    if args.key_added == "neighbors" and not args.no_cluster:
        msg = f"--key-added {args.key_added}: the clustering writes its neighbour graph there; choose another name."
        raise ValueError(msg)
    check_resume(args.checkpoint_dir, resume=args.resume)
    if not args.no_cluster:
        options = ClusterOptions(resolution=args.resolution, n_clusters=args.n_clusters)
        options.check(adata.n_obs, name="method")
    if not args.no_preprocess:
        scclr_ext.pp.contrastive_preprocess(
            adata,
            method,
            n_top_genes=args.n_top_genes,
            layer=args.layer,
            batch_key=args.batch_key,
            check_values=not args.no_check_values,
        )
    scclr_ext.tl.contrastive_embed(
        adata,
        method,
        preset=args.preset,
        layer=args.layer if args.no_preprocess else None,
        batch_key=args.batch_key,
        check_values=not args.no_check_values,
        key_added=args.key_added,
        n_epochs=args.n_epochs,
        n_steps=args.n_steps,
        early_stopping=args.early_stopping or None,
        device=args.device,
        devices=args.devices,
        num_nodes=args.num_nodes,
        precision=args.precision,
        random_state=args.random_state,
        checkpoint_dir=args.checkpoint_dir,
        resume=args.resume,
    )
    if cluster:
        scclr_ext.tl.contrastive_cluster(
            adata,
            use_rep=_keys.embedding_keys(args.key_added).obsm,
            resolution=args.resolution,
            n_clusters=args.n_clusters,
            batch_key=args.batch_key,
            key_added=_keys.clusters_key(args.key_added),
            random_state=args.random_state,
        )


def read(path: Path) -> AnnData:
    """Read an .h5ad file.

    Raises
    ------
    OSError
        Where there is none.
    """
    import anndata

    if path.is_dir():
        msg = f"{path} is a folder; read it in Python (anndata.read_zarr, scanpy.read_10x_mtx) and write an .h5ad file."
        raise IsADirectoryError(msg)
    try:
        return anndata.read_h5ad(path)
    except MemoryError:
        raise
    except Exception as error:  # anndata has many: for files of other programs, and of versions newer than itself
        about = (str(error).splitlines() or [type(error).__name__])[0]
        hint = {
            ".h5": " (One of 10x Genomics? Read it with scanpy.read_10x_h5 and write an .h5ad file.)",
            ".h5mu": " (Write its RNA to an .h5ad file: mudata.read_h5mu(path)['rna'].write_h5ad(...).)",
        }.get(path.suffix, "")
        msg = f"{path} cannot be read as an .h5ad file: {about}{hint}"
        raise OSError(msg) from error


def _embed(args: argparse.Namespace, fabric: Fabric | None) -> None:
    _by_first(lambda: _check_output(args.output), fabric)  # told now, not after the training
    first = fabric is None or fabric.is_global_zero
    adata = read(args.input)
    analyse(adata, args, cluster=first and not args.no_cluster)
    if not first:
        return
    # Under another name first: whatever happens, no half-written file has the name of a result (or of the input).
    # (And under one of its own: a scheduler may have started the job twice.)
    partial = args.output.with_name(f"{args.output.name}.{secrets.token_hex(4)}.part")
    try:
        with _nullable_strings():
            adata.write_h5ad(partial, compression=args.compression)
        partial.replace(args.output)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{adata.n_obs} cells written to {args.output}")


@contextmanager
def _nullable_strings() -> Iterator[None]:
    """Let columns of text with missing values be written, as they were read."""
    import anndata

    with anndata.settings.override(allow_write_nullable_strings=True):
        yield


def _check_output(path: Path) -> None:
    if path.is_dir():
        msg = f"{path} is a folder; name the .h5ad file to write, for example {path / 'embedded.h5ad'}."
        raise IsADirectoryError(msg)
    if path.suffix != ".h5ad":
        msg = f"{path} would be an .h5ad file with another name; give one that ends in .h5ad."
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"there is no folder {path.parent} to write {path.name} to; make it first."
        raise FileNotFoundError(msg)
    if not os.access(path.parent, os.W_OK):
        msg = f"nothing may be written to the folder {path.parent}; choose another one for {path.name}."
        raise PermissionError(msg)


@contextmanager
def _processes(args: argparse.Namespace) -> Iterator[Fabric | None]:
    """Start the processes before anything is read, so that all of them read at once; only the first one talks."""
    if args.devices * args.num_nodes == 1:
        yield None
        return
    from scclr_ext.engine.device import device_of, make_fabric
    from scclr_ext.engine.processes import together

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = make_fabric(device_of(args.device), devices=args.devices, num_nodes=args.num_nodes)
    if not fabric.is_global_zero:
        scclr_ext.settings.verbose = False
    with together():
        yield fabric


def _by_first(check: Callable[[], None], fabric: Fabric | None) -> None:
    """Check something in the first process; where it fails, all stop."""
    if fabric is None:
        check()
    else:
        from scclr_ext.engine.processes import from_first

        from_first(check, fabric)


def _make_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        msg = f"{path} is a file; --out names the folder to write to."
        raise NotADirectoryError(msg)
    path.mkdir(parents=True, exist_ok=True)


def _demo(args: argparse.Namespace, fabric: Fabric | None) -> None:
    from scclr_ext._command_line.demo import demo

    _by_first(lambda: _make_folder(args.out), fabric)
    demo(args, first=fabric is None or fabric.is_global_zero)
