"""The table of contributions, from a record made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData

import scclr_ext as clr
from scclr_ext._stale import training_of


@pytest.fixture
def attributed() -> AnnData:
    adata = AnnData(np.zeros((4, 4), dtype=np.float32))
    adata.var_names = ["CD3E", "LYZ", "NKG7", "unseen"]
    adata.varm["clr_attribution"] = np.array([[0.2, -0.1], [0.6, 0.3], [0.0, 0.2], [0.0, 0.0]], dtype=np.float32)
    adata.varm["clr_attribution_difference"] = np.array([[-1.0, 1.0], [2.0, 0.5], [0.0, 3.0], [0.0, 0.0]])
    adata.uns["clr_attribution"] = {
        "params": {"groupby": "type", "reference": "rest", "difference_key": "clr_attribution_difference"},
        "groups": np.array(["mono", "T/NK"]),
        "genes": np.array(["CD3E", "LYZ", "NKG7"]),
        "total": np.array([0.8, 0.0]),
        "error": np.array([0.0, 0.0]),
    }
    return adata


def ranked(**lists) -> dict:
    dtype = [(group, "U10") for group in lists]
    names = np.array(list(zip(*lists.values(), strict=True)), dtype=dtype)
    scores = np.array([tuple(9.0 - i for _ in lists) for i in range(len(names))], dtype=[(g, "f4") for g in lists])
    return {"names": names, "scores": scores}


def test_table(attributed) -> None:
    table = clr.get.gene_attribution(attributed)
    assert list(table) == ["group", "gene", "rank", "attribution", "share", "difference"]
    mono = table[table["group"] == "mono"]
    assert mono["gene"].tolist() == ["LYZ", "CD3E", "NKG7"]
    assert mono["rank"].tolist() == [1, 2, 3]
    assert mono["share"].tolist() == pytest.approx([0.75, 0.25, 0])
    assert mono["difference"].tolist() == [2, -1, 0]
    other = table[table["group"] == "T/NK"]
    assert other["gene"].tolist() == ["LYZ", "NKG7", "CD3E"]
    assert other["share"].isna().all()  # nothing to have a share of
    assert "unseen" not in set(table["gene"])


def test_some_groups_and_genes(attributed) -> None:
    table = clr.get.gene_attribution(attributed, "T/NK", n_genes=1)
    assert table[["group", "gene"]].to_numpy().tolist() == [["T/NK", "LYZ"]]
    table = clr.get.gene_attribution(attributed, ["T/NK", "mono"], n_genes=2)
    assert list(table["group"].cat.categories) == ["T/NK", "mono"]
    assert len(table) == 4


def test_markers_stand_beside(attributed) -> None:
    attributed.uns["rank_genes_groups"] = ranked(mono=["unseen", "LYZ"])
    table = clr.get.gene_attribution(attributed).set_index(["group", "gene"])
    assert table.loc[("mono", "LYZ"), "marker_rank"] == 2
    assert table.loc[("mono", "LYZ"), "marker_score"] == 8
    assert table.loc[("mono", "CD3E"), ["marker_rank", "marker_score"]].isna().all()
    assert table.loc["T/NK", "marker_score"].isna().all()  # a group it does not know
    attributed.uns["mine"] = attributed.uns.pop("rank_genes_groups")
    assert "marker_rank" in clr.get.gene_attribution(attributed, rank_key="mine")
    attributed.uns["mine"] = "what was here?"
    assert clr.get.gene_attribution(attributed, rank_key="mine")["marker_score"].isna().all()


def test_markers_of_another_clustering_are_not_passed_off(attributed) -> None:
    attributed.uns["rank_genes_groups"] = ranked(mono=["unseen", "LYZ"]) | {"params": {"groupby": "type"}}
    assert "marker_score" in clr.get.gene_attribution(attributed)
    attributed.uns["rank_genes_groups"]["params"]["groupby"] = "leiden"
    with pytest.warns(UserWarning, match=r"of the groups in adata\.obs\['leiden'\].*'type'.*left out"):
        table = clr.get.gene_attribution(attributed)
    assert "marker_score" not in table
    with pytest.raises(ValueError, match="`rank_key='rank_genes_groups'`.*'leiden'.*'type'"):
        clr.get.gene_attribution(attributed, rank_key="rank_genes_groups")
    with pytest.raises(KeyError, match="`rank_key='mine'` is not in adata.uns.*key_added='mine'"):
        clr.get.gene_attribution(attributed, rank_key="mine")
    attributed.uns["clr_attribution"]["params"]["groupby"] = ""  # all cells together: nothing to warn of
    assert "marker_score" not in clr.get.gene_attribution(attributed)


def test_after_genes_were_taken_away(attributed) -> None:
    with pytest.warns(UserWarning, match=r"adata lacks 2 of the 3 genes in adata.uns\['clr_attribution'\]: ranks"):
        table = clr.get.gene_attribution(attributed[:, ["LYZ", "unseen"]].copy(), "mono")
    assert table["gene"].tolist() == ["LYZ"]
    assert table["share"].tolist() == pytest.approx([0.75])


@pytest.mark.parametrize("function", [clr.get.gene_attribution, clr.pl.gene_attribution])
def test_after_genes_were_renamed(attributed, function) -> None:
    attributed.var_names = [f"ENSG{i}" for i in range(attributed.n_vars)]
    with pytest.raises(KeyError, match="adata lacks 3 of the 3 genes.*renamed"):
        function(attributed)


def test_what_is_missing_is_said(attributed) -> None:
    with pytest.raises(TypeError, match="`adata` is a dict"):
        clr.get.gene_attribution({})
    with pytest.raises(KeyError, match=r"no 'foo' \(it has: 'clr_attribution'\).*tl\.gene_attribution"):
        clr.get.gene_attribution(attributed, key="foo")
    with pytest.raises(KeyError, match="`groups` names 'B'.*choose from 'mono', 'T/NK'"):
        clr.get.gene_attribution(attributed, "B")
    for n_genes in (0, 1.5, True):
        with pytest.raises(ValueError, match="`n_genes`"):
            clr.get.gene_attribution(attributed, n_genes=n_genes)
    del attributed.varm["clr_attribution_difference"]
    with pytest.raises(KeyError, match=r"adata\.varm has no 'clr_attribution_difference'.*again"):
        clr.get.gene_attribution(attributed)
    for broken in ({}, "text", {"params": {}}):
        attributed.uns["clr_attribution"] = broken
        with pytest.raises(ValueError, match="not the record of an attribution"):
            clr.get.gene_attribution(attributed)


SHOW = (clr.get.gene_attribution, lambda adata: clr.pl.gene_attribution(adata, show=False))


@pytest.mark.parametrize("show", SHOW, ids=["get", "pl"])
def test_attributions_of_an_earlier_training(attributed, show) -> None:
    attributed.uns["foo"] = {"params": {"obsm_key": "foo"}, "history": {"loss": np.array([2.0, 1.0])}}
    attributed.uns["clr_attribution"]["params"] |= {"key": "foo", "training": training_of(attributed.uns["foo"])}
    show(attributed)  # warnings are errors
    attributed.uns["foo"]["history"]["loss"] = np.array([2.0, 1.5])
    with pytest.warns(UserWarning, match=r"'clr_attribution'\] was made from an earlier training.*'foo'") as caught:
        show(attributed)
    assert len(caught) == 1
    assert caught[0].filename == __file__
