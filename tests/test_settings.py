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


@pytest.mark.parametrize("value", ["4", 0, -1.0, float("nan"), True, None])
def test_memory_is_a_number_of_gigabytes(value) -> None:
    with pytest.raises(ValueError, match=r"`settings.max_memory` must be a number of gigabytes above 0; found"):
        clr.settings.max_memory = value
    assert clr.settings.max_memory == 4.0


def test_what_is_no_setting_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"scclr_ext.settings has no 'progres'; choose one of 'progress'"):
        clr.settings.progres = False
    with pytest.raises(ValueError, match=r"`settings.verbose` must be True or False; found 'no'"):
        clr.settings.verbose = "no"
