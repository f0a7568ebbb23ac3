"""Every task of the project, each in an environment it makes itself: ``python -m nox -l`` lists them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "typing", "tests"]
nox.options.reuse_venv = "yes"
# pip, not uv: it also finds wheels that a machine keeps on disk.
nox.options.default_venv_backend = "virtualenv"
# A Python that is not on the machine is skipped, in CI as well, and never fetched.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
OTHER_PYTHONS = ("3.12", "3.13", "3.14")
PROCESSES = ("--numprocesses=auto", "--maxprocesses=4")
# The processes share the cores; threads within each would only wait for one another.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def constraints(python: str | None = None) -> str:
    """Name the file with the tested versions for a Python (by default the one that runs nox)."""
    version = tuple(int(part) for part in python.split(".")) if python else sys.version_info[:2]
    return "constraints.txt" if version < (3, 12) else "constraints-3.12.txt"


def install(session: nox.Session, *groups: str, package: bool = True, python: str | None = None) -> None:
    """Install the package as it lies here, and the dependency groups named, at the tested versions."""
    requirements = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    here = ("--editable", ".") if package else ()
    # --no-compile: Python compiles what is imported; compiling all of PyTorch beforehand takes longer.
    session.install("--quiet", "--no-compile", "--constraint", constraints(python), *here, *requirements)


def run_tests(session: nox.Session, python: str | None = None) -> None:
    """Run the test suite and the examples in the docstrings."""
    install(session, "test", python=python)
    environment = {"MPLBACKEND": "Agg", **ONE_THREAD}
    session.run("python", "-m", "pytest", "--durations=10", *PROCESSES, *session.posargs, env=environment)


@nox.session
def demo(session: nox.Session) -> None:
    """Embed, cluster and draw real cells: ``nox -s demo [-- my_counts.h5ad --batch-key donor]``."""
    install(session)
    session.chdir(session.invoked_from)
    session.run("python", "-m", "scclr_ext", "demo", *session.posargs, env={"MPLBACKEND": "Agg"})


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox."""
    run_tests(session)


@nox.session
def rehearsal(session: nox.Session) -> None:
    """Run the code for GPUs on a pretend one; needs a C++ compiler."""
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        session.skip("no C++ compiler: install one, or name it in the environment variable CXX")
    install(session, "rehearsal")
    # Kept, and built anew where its source has changed.
    built = {"TORCH_EXTENSIONS_DIR": str(session.cache_dir.resolve() / "torch_extensions")}
    environment = {"MPLBACKEND": "Agg", **ONE_THREAD, **built}
    session.run(
        "python", "-m", "pytest", "--durations=5", *PROCESSES, "tests/rehearsal", *session.posargs, env=environment
    )


def tests_on(python: str) -> None:
    """Register the session that runs the tests on another Python, under exactly the name ``tests-<version>``."""

    @nox.session(name=f"tests-{python}", python=python, default=False)
    def session_on(session: nox.Session) -> None:
        """Run the tests on this Python; skipped where it is missing."""
        run_tests(session, python)


for other in OTHER_PYTHONS:
    tests_on(other)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install(session, "lint", package=False)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types."""
    install(session, "typing")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    shutil.rmtree(ROOT / "docs" / "generated", ignore_errors=True)  # pages of functions that are no more
    target = Path("docs", "_build", "html")
    session.run(
        "python", "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(target), *session.posargs
    )
    session.log(f"open {(ROOT / target / 'index.html').as_uri()}")


@nox.session
def tutorials(session: nox.Session) -> None:
    """Run the notebooks anew: ``nox -s tutorials [-- 02 --write]``; ``--write`` keeps the outputs."""
    install(session, "tutorials")
    session.run("python", "tutorials/execute.py", *session.posargs)


@nox.session
def papers(session: nox.Session) -> None:
    """Run a little of every experiment of both papers; ``nox -s papers -- --only NAME`` runs one whole."""
    install(session)
    arguments = session.posargs or ("--quick", "--jobs", "2")
    session.run("python", "-m", "benchmarks.papers", *arguments, env={"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"})


@nox.session
def build(session: nox.Session) -> None:
    """Build the source archive and the wheel, and import the wheel."""
    install(session, "build", package=False)
    dist = Path(session.create_tmp()).resolve()
    for old in (*dist.glob("*.whl"), *dist.glob("*.tar.gz")):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist), ".")
    (wheel,) = dist.glob("*.whl")
    session.install("--quiet", "--no-deps", "--force-reinstall", str(wheel))
    session.chdir(dist)
    session.run("python", "-c", "import scclr_ext; print(scclr_ext.__version__, scclr_ext.__file__)")
    session.log(f"the files are in {os.fspath(dist)}")
