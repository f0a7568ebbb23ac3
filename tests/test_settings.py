"""What the package says, and to whom."""

from __future__ import annotations

import logging

import pytest

import scclr_ext as clr
from scclr_ext._settings import Settings, report


def test_defaults() -> None:
    assert Settings() == Settings(progress=True, verbose=False)
    assert isinstance(clr.settings, Settings)


@pytest.mark.parametrize("verbose", [False, True])
def test_report(monkeypatch, capsys, caplog, verbose) -> None:
    monkeypatch.setattr(clr.settings, "verbose", verbose)
    with caplog.at_level(logging.INFO, logger="scclr_ext"):
        report("added this")
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("scclr_ext", "INFO", "added this")
    ]
    assert capsys.readouterr() == ("added this\n" if verbose else "", "")


def test_the_package_attaches_no_handler() -> None:
    assert logging.getLogger("scclr_ext").handlers == []


def test_preprocess_names_what_it_added(counts, monkeypatch, capsys) -> None:
    monkeypatch.setattr(clr.settings, "verbose", True)
    clr.pp.contrastive_preprocess(counts, n_top_genes=50)
    out = capsys.readouterr().out
    assert "adata.X held counts" in out
    assert "var['highly_variable'] marks 50 genes" in out
