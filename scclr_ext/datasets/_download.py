"""A file from the network, downloaded once and checked each time."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pooch
import requests

from scclr_ext._settings import report, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike


def fetch(
    url: str, *, name: str, known_hash: str | None, cache_dir: str | PathLike[str] | None, progress: bool | None
) -> Path:
    """Return the path of a downloaded file, from the cache where it lies there already.

    Parameters
    ----------
    url
        Where it comes from.
    name
        What it is called in the cache.
    known_hash
        Its SHA-256. None takes the first download from this address on trust, writes its checksum beside it, and holds
        later calls to that.
    cache_dir
        Folder of the cache; None for the user's cache folder.
    progress
        Show a progress bar; None follows the session's settings.
    """
    if known_hash is None:  # nothing but the address says which file it is
        name = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}_{name}"
    folder = Path(pooch.os_cache("scclr_ext") if cache_dir is None else cache_dir).expanduser()
    seen = folder / f"{name}.sha256"
    target = folder / name
    trusted = known_hash or (seen.read_text(encoding="utf-8").strip() if seen.is_file() and target.is_file() else None)
    try:
        with _quiet_pooch():
            show = settings.shows(progress)
            pooch.retrieve(url, trusted and f"sha256:{trusted}", fname=name, path=folder, progressbar=show)
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        msg = (
            f"{url} could not be downloaded ({type(error).__name__}): check the network, or fetch the file on another "
            "machine and name it with `path=`."
        )
        raise ConnectionError(msg) from error
    except ValueError as error:
        if trusted is None:
            msg = f"`url={url!r}` cannot be downloaded: {error}."
            raise ValueError(msg) from error
        msg = (
            f"{url} does not have the checksum {trusted}: the file was changed or damaged on its way. Try again; if "
            "there is a new version that you trust, give its SHA-256 as `known_hash`."
        )
        raise ValueError(msg) from error
    if known_hash is None:
        seen.write_text(pooch.file_hash(str(target)) + "\n", encoding="utf-8")
    report(f"read {target}, from {url}")
    return target


def check(path: Path, known_hash: str | None) -> None:
    """Compare a file that the user brought with the checksum.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is another one.
    """
    if not path.is_file():
        msg = f"`path` names no file: {path}."
        raise FileNotFoundError(msg)
    if known_hash is not None and (found := pooch.file_hash(str(path))) != known_hash:
        msg = f"{path} has the SHA-256 {found}, not {known_hash}; `known_hash=None` reads it all the same."
        raise ValueError(msg)


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from announcing each download."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
