"""How the documentation is built: ``nox -s docs``. It needs no network."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from pathlib import Path

import scclr_ext
from scclr_ext.engine.methods import METHODS

project = "scclr_ext"
author = "The scclr_ext contributors"
copyright = f"2026, {author}"
version = release = scclr_ext.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build", "generated/presets-*.md", "tables/*", "**.ipynb_checkpoints"]
templates_path = ["_templates"]

# Pages in Markdown; notebooks are shown with the outputs they were committed with.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"

# Types and defaults are written once, in the signature.
autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
python_maximum_signature_line_length = 88
python_display_short_literal_types = True

# Other projects' pages are linked to where the network may be used; elsewhere their names stay plain text.
_OTHER_PROJECTS = {
    "python": "https://docs.python.org/3",
    "anndata": "https://anndata.readthedocs.io/en/stable",
    "matplotlib": "https://matplotlib.org/stable",
    "numpy": "https://numpy.org/doc/stable",
    "pandas": "https://pandas.pydata.org/docs",
    "scanpy": "https://scanpy.readthedocs.io/en/stable",
    "scipy": "https://docs.scipy.org/doc/scipy",
    "sklearn": "https://scikit-learn.org/stable",
    "torch": "https://docs.pytorch.org/docs/stable",
}
_online = os.environ.get("SCCLR_DOCS_ONLINE") == "1"
intersphinx_mapping = {name: (url, None) for name, url in _OTHER_PROJECTS.items()} if _online else {}

# Every reference within the package must resolve; names that belong to others need not.
nitpicky = True
# Names for a few permitted strings, which the docstring lists; and a class of the engine, which has no page.
nitpick_ignore = [("py:class", "Optimizer"), ("py:class", "Schedule"), ("py:class", "Trained")]
nitpick_ignore_regex = [
    (r"py:.*", r"(anndata|collections|matplotlib|numpy|os|pandas|pathlib|scanpy|scipy|sklearn|torch|typing)\..*"),
    # the same, as annotations spell them
    (
        r"py:class",
        r"(AnnData|ArrayLike|Axes|DataFrame|Figure|FigureBase|Generator|Mapping|NDArray|Path|PathLike|Sequence|Tensor)",
    ),
    (r"py:class", r"(np|pd|sparse)\.\w+"),
    (r"py:class", r"(None|bool|dict|float|int|list|str|tuple|type)"),
    (r"py:exc", r"\w+(Error|Warning)"),
]

html_theme = "sphinx_book_theme"
html_title = "scclr_ext"
html_static_path = ["_static"]
html_theme_options = {"show_navbar_depth": 1, "show_toc_level": 2, "use_download_button": False}
html_copy_source = False


def _write_preset_tables(folder: Path) -> None:
    """Write a table of the settings in which a method's presets differ, read from the code itself."""
    folder.mkdir(exist_ok=True)
    for name, row in METHODS.items():
        lines = ["| setting | " + " | ".join(f"`{preset}`" for preset in row.presets) + " |"]
        lines.append("| --- " * (1 + len(row.presets)) + "|")
        for field in fields(row.config):
            values = [getattr(config, field.name) for config in row.presets.values()]
            if any(value != values[0] for value in values):
                lines.append(f"| `{field.name}` | " + " | ".join(f"`{value!r}`" for value in values) + " |")
        if len(lines) == 2:
            lines = ["The presets are the same."]
        (folder / f"presets-{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _copy_tutorials(source: Path, target: Path) -> None:
    """Bring the notebooks to where Sphinx looks for pages; it shows them as they are."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for notebook in source.glob("*.ipynb"):
        shutil.copy2(notebook, target)


_write_preset_tables(Path(__file__).parent / "generated")
_copy_tutorials(Path(__file__).parents[1] / "tutorials", Path(__file__).parent / "tutorials")
