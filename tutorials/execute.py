"""Run the notebooks from the first cell to the last; the first error ends it.

``python tutorials/execute.py``                  do they still run? Nothing is written.
``python tutorials/execute.py --write``          put the new outputs into the files
``python tutorials/execute.py 01 --write``       only those whose names start so
``python tutorials/execute.py --jobs 2``         two at a time, each on one core
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"
# 01 would otherwise download its cells: a check should not depend on a server.
NEEDS_DATA = ("01", "03", "04", "05")
SECONDS_PER_CELL = 900


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep what readers see, and nothing that tells one machine or run from another."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02d}", {}
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = {}


def execute(path: Path, *, write: bool) -> None:
    """Run one notebook here."""
    started = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        record_timing=False,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
    ).execute()
    print(f"{path.name}: {time.perf_counter() - started:.0f} s", flush=True)
    if write:
        clean(notebook)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def execute_many(paths: list[Path], jobs: int, *, write: bool) -> bool:
    """Run notebooks in processes of their own; say whether all went through."""
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

    def run(path: Path) -> bool:
        command = [sys.executable, __file__, path.stem, *(["--write"] if write else [])]
        return subprocess.run(command, check=False).returncode == 0

    with ThreadPoolExecutor(jobs) as pool:
        return all(list(pool.map(run, paths)))


def main() -> None:
    """Execute what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="how the names of the notebooks begin; all without")
    parser.add_argument("--write", action="store_true", help="put the new outputs into the files")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    args = parser.parse_args()

    # The kernels inherit these: where the real data are, and no window.
    os.environ.setdefault("SCCLR_DATA", str(DATA))
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    chosen = [p for p in sorted(HERE.glob("*.ipynb")) if not args.names or p.name.startswith(tuple(args.names))]
    if not chosen:
        sys.exit(f"no notebook in {HERE} starts with {' or '.join(args.names)}")
    if not Path(os.environ["SCCLR_DATA"]).is_dir():
        for path in [path for path in chosen if path.name.startswith(NEEDS_DATA)]:
            print(f"{path.name}: left out, the folder {os.environ['SCCLR_DATA']} (SCCLR_DATA) does not exist")
            chosen.remove(path)
    if args.jobs > 1:
        sys.exit(not execute_many(chosen, args.jobs, write=args.write))
    for path in chosen:
        execute(path, write=args.write)


if __name__ == "__main__":
    main()
