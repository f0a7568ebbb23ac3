"""The package on a pretend GPU. Only where this folder alone is asked for: in other tests there must be none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import pretend
from rehearsal.renamed import rehearse

HERE = Path(__file__).parent


def _alone(config: pytest.Config) -> bool:
    folders = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return all(HERE in (folder, *folder.parents) for folder in folders)


def pytest_configure(config: pytest.Config) -> None:
    if _alone(config):
        rehearse()


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if _alone(config) else True


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    pretend.forget()
