"""The figure: what comes back, what it shows, what it survives, and that it leaves no trace."""

from __future__ import annotations

import io
import pickle

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import scclr_ext as clr
from synthetic import make_embedded

TRAINING = ["Training loss", "Alignment", "Uniformity", "Spectrum of the embedding"]


def titles(axes):
    return [ax.get_title(loc="left") for ax in axes]


def panels(adata, **options):
    """The axes by title, after everything was drawn once."""
    axes = clr.pl.embedding_qc(adata, show=False, **options)
    axes[0].figure.canvas.figure.savefig(io.BytesIO(), format="png", dpi=40)
    return dict(zip(titles(axes), axes, strict=True))


def fingerprint(adata) -> bytes:
    return pickle.dumps(
        (adata.X, adata.obs, adata.var, dict(adata.obsm), dict(adata.obsp), dict(adata.uns), dict(adata.layers))
    )


def test_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, shown = make_embedded(), []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    figure = clr.pl.embedding_qc(adata, return_fig=True)
    assert isinstance(figure, Figure)
    assert not shown
    axes = clr.pl.embedding_qc(adata, show=False)
    assert isinstance(axes, list)
    assert not shown
    assert clr.pl.embedding_qc(adata, show=True) is None
    assert len(shown) == 1
    usual = sc.settings.autoshow
    try:
        sc.settings.autoshow = True
        assert clr.pl.embedding_qc(adata) is None
        assert len(shown) == 2
        sc.settings.autoshow = False
        assert isinstance(clr.pl.embedding_qc(adata), list)
    finally:
        sc.settings.autoshow = usual


@pytest.mark.parametrize("umap", [True, False])
def test_no_trace(umap) -> None:
    adata = make_embedded(umap=umap)
    sc.pp.neighbors(adata, use_rep="X_clr")
    before, settings, state = fingerprint(adata), dict(mpl.rcParams), np.random.get_state()[1].copy()
    clr.pl.embedding_qc(adata, show=False, color=["donor", "gene1", "clr_clusters"])
    assert fingerprint(adata) == before
    assert dict(mpl.rcParams) == settings
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_panels_with_clusters_and_batches() -> None:
    found = panels(make_embedded())
    assert list(found) == [
        *TRAINING,
        "Cluster sizes by donor",
        "Silhouette per cluster",
        "X_umap, clr_clusters",
        "X_umap, donor",
    ]


def test_lines_are_the_table() -> None:
    adata = make_embedded()
    qc, found = clr.get.embedding_qc(adata), panels(adata)
    for title, column in {"Training loss": "loss", "Alignment": "alignment", "Uniformity": "uniformity"}.items():
        line = found[title].lines[0]
        np.testing.assert_array_equal(line.get_xdata(), qc.history["step"])
        np.testing.assert_array_equal(line.get_ydata(), qc.history[column])
    assert found["Training loss"].lines[1].get_ydata()[0] == qc.summary["chance_loss"].item()
    kept = found["Spectrum of the embedding"].lines[0]
    np.testing.assert_array_equal(kept.get_xdata(), qc.spectrum.index)
    np.testing.assert_array_equal(kept.get_ydata(), qc.spectrum["relative"])
    heights = np.array([bar.get_height() for bar in found["Cluster sizes by donor"].patches])
    np.testing.assert_array_equal(heights.reshape(2, 3).T, qc.batches)
    points = found["Silhouette per cluster"].collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1], qc.clusters["silhouette"])


def test_the_map_shows_every_cell_in_its_colour() -> None:
    adata = make_embedded()
    adata.uns["clr_clusters_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    drawn = panels(adata)["X_umap, clr_clusters"].collections[0]
    cells = np.lexsort(adata.obsm["X_umap"].T)
    order = np.lexsort(np.asarray(drawn.get_offsets()).T)
    np.testing.assert_allclose(np.asarray(drawn.get_offsets())[order], adata.obsm["X_umap"][cells])
    expected = [to_rgba(adata.uns["clr_clusters_colors"][c]) for c in adata.obs["clr_clusters"].cat.codes.iloc[cells]]
    np.testing.assert_allclose(drawn.get_facecolors()[order], expected)


def test_colours_survive_a_category_that_is_gone() -> None:
    adata = make_embedded(n_batches=0)
    adata.uns["clr_clusters_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    adata.obs["clr_clusters"] = adata.obs["clr_clusters"].mask(adata.obs["clr_clusters"] == "0")
    bars = panels(adata)["Cluster sizes"].patches
    assert [bar.get_facecolor() for bar in bars] == [to_rgba("#00ff00"), to_rgba("#0000ff")]


def test_clusters_are_named_on_the_map() -> None:
    texts = panels(make_embedded(n_obs=600, n_clusters=30))["X_umap, clr_clusters"].texts
    assert [text.get_text() for text in texts] == [str(i) for i in range(30)]


def test_long_names_that_would_overlap_stand_in_a_legend() -> None:
    for n_clusters, on_map in ((2, True), (12, False)):
        adata = make_embedded(n_obs=600, n_clusters=n_clusters, n_batches=0)
        words = {str(i): f"a type of cell, number {i}" for i in range(n_clusters)}
        adata.obs["clr_clusters"] = adata.obs["clr_clusters"].cat.rename_categories(words)
        ax = panels(adata)["X_umap, clr_clusters"]
        written = ax.texts if on_map else ax.get_legend().get_texts()
        assert len({text.get_text() for text in written}) == n_clusters
        assert bool(ax.texts) is on_map


def test_a_dark_background() -> None:
    with mpl.style.context("dark_background"):
        found = panels(make_embedded())
    assert to_rgba("white") in map(tuple, found["Silhouette per cluster"].collections[0].get_edgecolors())
    (outline,) = found["X_umap, clr_clusters"].texts[0].get_path_effects()
    assert outline._gc["foreground"] == "black"


@pytest.mark.parametrize("n_batches", [0, 2])
def test_without_clusters(n_batches) -> None:
    found = panels(make_embedded(n_clusters=0, n_batches=n_batches))
    last = "X_umap, donor" if n_batches else "X_umap"
    assert list(found) == [*TRAINING, "Cluster sizes", "Silhouette per cluster", last]
    for title in ("Cluster sizes", "Silhouette per cluster"):
        assert "run tl.contrastive_cluster" in found[title].texts[0].get_text()
        assert not found[title].patches


def test_without_batches() -> None:
    found = panels(make_embedded(n_batches=0))
    assert list(found)[4:] == ["Cluster sizes", "Silhouette per cluster", "X_umap, clr_clusters"]
    assert [bar.get_height() for bar in found["Cluster sizes"].patches] == clr.get.embedding_qc(
        make_embedded(n_batches=0)
    ).clusters["n_cells"].tolist()


def test_color_takes_the_place_of_the_batch() -> None:
    adata = make_embedded()
    adata.obs["score"] = np.linspace(0, 1, adata.n_obs)
    adata.obs.loc["cell3", "score"] = np.nan
    adata.obs["kept"] = np.arange(adata.n_obs) % 2 == 0
    adata.obs["type"] = pd.Categorical([f"type {i % 60} with a long name" for i in range(adata.n_obs)])
    found = panels(adata, color=["score", "kept", "type", "gene2"])
    assert list(found)[6:] == [f"X_umap, {name}" for name in ("clr_clusters", "score", "kept", "type", "gene2")]
    assert len(found["X_umap, type"].get_legend().get_texts()) == 41
    assert [t.get_text() for t in found["X_umap, kept"].get_legend().get_texts()] == ["False", "True"]
    assert [t.get_text() for t in found["Cluster sizes by donor"].get_legend().get_texts()] == ["donor0", "donor1"]
    assert list(panels(adata, color="gene2"))[6:] == ["X_umap, clr_clusters", "X_umap, gene2"]
    assert list(panels(adata, color=[]))[6:] == ["X_umap, clr_clusters"]


def test_deferred_counts_are_drawn_as_the_model_reads_them() -> None:
    adata = make_embedded()
    clr.pp.contrastive_preprocess(adata, defer=True)
    plain = make_embedded()
    clr.pp.contrastive_preprocess(plain)
    colours = panels(adata, color="gene2")["X_umap, gene2"].collections[0].get_array()
    np.testing.assert_allclose(np.sort(colours), np.sort(plain.X[:, 2].toarray().ravel()), rtol=1e-5)


def test_a_gene_that_only_raw_has_is_said() -> None:
    adata = make_embedded()
    adata.raw = adata
    with pytest.raises(KeyError, match=r"`color` names 'gene4'.*adata\.raw has that gene: adata\.obs\['gene4'\]"):
        clr.pl.embedding_qc(adata[:, :2].copy(), color="gene4")


def test_collapse_is_said() -> None:
    adata = make_embedded(umap=False)
    adata.obsm["X_clr"] = np.ones_like(adata.obsm["X_clr"])
    found = panels(adata)
    assert "has collapsed" in found["Spectrum of the embedding"].texts[0].get_text()
    assert "nothing to map" in found["UMAP, clr_clusters"].texts[0].get_text()


def test_collapsed_directions_are_marked() -> None:
    adata = make_embedded()
    adata.obsm["X_clr"][:, 6:] = 0
    ax = panels(adata)["Spectrum of the embedding"]
    assert len(ax.lines[0].get_xdata()) == 6
    assert len(ax.lines[1].get_xdata()) == 10
    assert "10 directions collapsed" in ax.texts[0].get_text()


@pytest.mark.parametrize(("n_obs", "name"), [(2, "PCs"), (5, "PCs"), (12, "UMAP"), (90, "UMAP")])
def test_tiny_sets_without_a_umap(n_obs, name) -> None:
    found = panels(make_embedded(n_obs=n_obs, n_clusters=2, umap=False))
    assert len(found[f"{name} of X_clr, clr_clusters"].collections[0].get_offsets()) == n_obs


def drawn(adata, title: str) -> np.ndarray:
    return np.sort(panels(adata, color=[])[f"{title}, clr_clusters"].collections[0].get_offsets(), axis=0)


def blobs(seed: int) -> np.ndarray:
    """Three groups of 60 cells, always the same ones, whose insides are of the seed."""
    centres = np.random.default_rng(0).normal(size=(3, 8)).repeat(60, axis=0)
    return (centres + 0.3 * np.random.default_rng(seed).normal(size=centres.shape)).astype(np.float32)


def test_a_umap_of_another_representation_is_not_passed_off() -> None:
    adata = make_embedded(n_obs=180, n_clusters=3, umap=False)
    adata.obsm["X_clr"], adata.obsm["X_pca"] = blobs(1), blobs(2)
    sc.pp.neighbors(adata, use_rep="X_pca")
    sc.tl.umap(adata)
    sc.pp.neighbors(adata, use_rep="X_clr")  # as contrastive_cluster does: the graph says nothing about the UMAP
    made = drawn(adata, "UMAP of X_clr")
    sc.tl.umap(adata)
    own = np.sort(adata.obsm["X_umap"], axis=0)
    np.testing.assert_allclose(made, own, rtol=1e-5)
    np.testing.assert_allclose(drawn(adata, "X_umap"), own)
    # A graph of another representation says nothing either, and cells may be taken away.
    sc.pp.neighbors(adata, use_rep="X_pca")
    np.testing.assert_allclose(drawn(adata, "X_umap"), own)
    half = adata[::2].copy()
    np.testing.assert_allclose(drawn(half, "X_umap"), np.sort(half.obsm["X_umap"], axis=0))


def test_a_umap_and_a_graph_of_an_earlier_embedding_are_not_passed_off() -> None:
    adata = make_embedded(n_obs=180, n_clusters=3, umap=False)
    adata.obsm["X_clr"] = blobs(1)
    sc.pp.neighbors(adata, use_rep="X_clr", n_neighbors=8)
    sc.tl.umap(adata)
    adata.obsm["X_clr"] = blobs(2)
    made = drawn(adata, "UMAP of X_clr")
    sc.pp.neighbors(adata, use_rep="X_clr")
    sc.tl.umap(adata)
    np.testing.assert_allclose(made, np.sort(adata.obsm["X_umap"], axis=0), rtol=1e-5)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_graph_that_is_there_is_used(metric) -> None:
    adata = make_embedded(n_obs=60, umap=False)
    sc.pp.neighbors(adata, use_rep="X_clr", n_neighbors=8, metric=metric)
    made = drawn(adata, "UMAP of X_clr")
    sc.tl.umap(adata)
    np.testing.assert_allclose(made, np.sort(adata.obsm["X_umap"], axis=0), rtol=1e-5)


@pytest.mark.parametrize("stored", [np.zeros((60, 2)), np.full((60, 2), np.nan)])
def test_what_is_no_umap_is_not_drawn(stored) -> None:
    adata = make_embedded(n_obs=60)
    adata.obsm["X_umap"] = stored
    assert np.ptp(drawn(adata, "UMAP of X_clr"), axis=0).min() > 0


def test_many_cells_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    from scclr_ext.pl import _umap

    monkeypatch.setattr(_umap, "MOST_CELLS", 50)
    for title, umap in (("X_umap", True), ("UMAP of X_clr", False)):
        points = panels(make_embedded(umap=umap))[f"{title}, donor"].collections[0]
        assert len(points.get_offsets()) == 50


def test_incomplete_records() -> None:
    adata = make_embedded(n_records=1)
    assert len(panels(adata)["Training loss"].lines[0].get_xdata()) == 1
    del adata.uns["clr"]["params"]["chance_loss"]
    adata.uns["clr"]["history"] = {"loss": np.array([2.0, 1.0]), "alignment": np.array([np.nan, np.nan])}
    found = panels(adata)
    assert found["Training loss"].lines[0].get_xdata().tolist() == [1, 2]
    for title, column in {"Alignment": "alignment", "Uniformity": "uniformity"}.items():
        assert found[title].texts[0].get_text() == f"no {column} was recorded"


def test_into_a_figure_of_the_user() -> None:
    adata = make_embedded()
    figure, (left, right) = plt.subplots(1, 2, figsize=(18, 8), layout="constrained")
    axes = clr.pl.embedding_qc(adata, ax=right, show=False)
    figure.canvas.draw()
    edge = left.get_window_extent().x1
    assert all(ax.get_window_extent().x0 > edge for ax in axes)
    assert clr.pl.embedding_qc(adata, ax=left, return_fig=True) is figure
    host = plt.figure(layout="constrained")
    part = host.subfigures(1, 2)[0]
    assert clr.pl.embedding_qc(adata, ax=part, return_fig=True) is host
    other = Figure(layout="constrained")
    assert clr.pl.embedding_qc(adata, ax=other, return_fig=True) is other
    assert other.axes


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(("n_clusters", "n_batches"), [(1, 0), (3, 2), (25, 8), (40, 0), (40, 12)])
def test_nothing_overlaps(n_clusters, n_batches, alone) -> None:
    place = None if alone else plt.subplots(figsize=(12, 8))[1]
    axes = clr.pl.embedding_qc(make_embedded(800, n_clusters, n_batches), ax=place, show=False)
    figure = axes[0].figure.canvas.figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    for i, first in enumerate(boxes):
        for second in boxes[:i]:
            both = first.intersection(first, second)
            assert both is None or min(both.width, both.height) < 2
    for ax in axes:
        words = [t.get_window_extent(renderer) for t in ax.get_xticklabels() if t.get_text()]
        assert all(a.x1 <= b.x0 + 1 for a, b in zip(words[:-1], words[1:], strict=True))
    assert figure.get_size_inches()[0] <= 12


def test_style_of_the_user_is_withstood() -> None:
    with mpl.rc_context():
        sc.set_figure_params(fontsize=20)
        ax = panels(make_embedded())["Training loss"]
        assert ax.xaxis.label.get_size() == 9
        assert not any(line.get_visible() for line in ax.get_xgridlines())


def test_errors_leave_no_figure() -> None:
    adata = make_embedded()
    with pytest.raises(KeyError, match="contrastive_embed"):
        clr.pl.embedding_qc(adata, key="foo")
    with pytest.raises(KeyError, match="`color` names 'nonsense'"):
        clr.pl.embedding_qc(adata, color="nonsense")
    with pytest.raises(TypeError, match="`ax` is a str"):
        clr.pl.embedding_qc(adata, ax="here")
    assert not plt.get_fignums()
    lonely = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="`ax` is not part of a grid"):
        clr.pl.embedding_qc(adata, ax=lonely)
