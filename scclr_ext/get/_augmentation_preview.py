from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from scclr_ext._anndata import check_adata
from scclr_ext._checks import check_random_state, is_whole
from scclr_ext._values.stored import StoredRows
from scclr_ext.engine.methods import DataInfo, build, resolve
from scclr_ext.engine.moments import gene_moments
from scclr_ext.engine.surroundings import usual_torch
from scclr_ext.tl._embedding.model_input import read_model_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext.engine.config import MethodConfig

_MINIBATCH = 256
_VIEWS = 2


def augmentation_preview(
    adata: AnnData,
    method: str | MethodConfig = "clear",
    *,
    preset: str | None = None,
    cells: int | Sequence[str] = 2,
    layer: str | None = None,
    mask_var: str | NDArray[np.bool_] | None = "auto",
    random_state: int = 0,
) -> pd.DataFrame:
    """Tabulate what the distortions of a method do to a few cells.

    This is the table behind :func:`scclr_ext.pl.augmentation_preview`. Nothing is trained, and nothing is written to
    `adata`.

    Parameters
    ----------
    adata
        Annotated data matrix, cells by genes, log-normalised as :func:`scclr_ext.pp.contrastive_preprocess` leaves it.
    method
        Name of a method, or its config, as in :func:`scclr_ext.tl.contrastive_embed`.
    preset
        Name of one of the method's presets; None for the recommended one.
    cells
        Names of the cells, or how many to draw at random.
    layer
        Take the values from this layer instead of `X`.
    mask_var
        Genes the model sees: as in :func:`scclr_ext.tl.contrastive_embed`.
    random_state
        Seed of everything random.

    Returns
    -------
    One row for each cell, step and gene:

    `cell`, `step`, `gene`
        `step` is a distortion by itself, done to every cell (in training a cell undergoes each with its own
        probability), or `"view 1"` and `"view 2"`: two whole views, as the training draws them.
    `before`, `after`
        Value of the gene as the model reads it (standardised where the method standardises), and in the view.

    Raises
    ------
    TypeError
        If `adata` is no AnnData, or `method` neither a name nor a config.
    KeyError
        If a cell, `layer` or `mask_var` is missing, or several cells have that name.
    ValueError
        If the values cannot be trained on, the method or preset is unknown, or `cells` is empty or no number from 1
        to the number of cells.

    Notes
    -----
    Other cells, from which some distortions borrow, are up to 256 drawn at random, as in a minibatch; means and
    standard deviations of genes are theirs.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32")
    >>> adata = ad.AnnData(counts)
    >>> clr.pp.contrastive_preprocess(adata)
    >>> table = clr.get.augmentation_preview(adata, "clear", cells=1)
    >>> table["step"].unique().tolist()
    ['mask', 'gaussian noise', 'swap', 'crossover', 'crossover many', 'view 1', 'view 2']
    >>> mask = table[table["step"] == "mask"]
    >>> bool(((mask["after"] == 0) | (mask["after"] == mask["before"])).all())
    True
    """
    check_adata(adata)
    random_state = check_random_state(random_state)
    config = resolve(method, preset).config
    chosen, n_shown = _choose(adata, cells, np.random.default_rng(random_state))
    # Genes by number: SciPy trips over cells by number of a view whose genes are every second one.
    part = adata[chosen, np.arange(adata.n_vars)]
    if adata.isbacked:
        part = part.to_memory()
    data = read_model_input(part, layer=layer, mask_var=mask_var, batch_key=None)
    matrix: Any = data.matrix
    if isinstance(matrix, StoredRows):
        matrix = matrix.read(np.arange(part.n_obs))
    mean, std = gene_moments(matrix)
    dense = matrix.toarray() if sparse.issparse(matrix) else np.array(matrix)
    tables = []
    with usual_torch(), torch.no_grad():
        generator = torch.Generator().manual_seed(random_state)
        model = build(config, DataInfo(len(chosen), mean, std), generator)
        x = model.scaling(torch.from_numpy(dense))
        everyone = torch.arange(len(x))
        results = {_words(step): step.distort(x, x, everyone, generator) for step in model.views.active}
        results |= {f"view {i + 1}": model.views(x, generator) for i in range(_VIEWS)}
        for cell in range(n_shown):
            for step, after in results.items():
                columns = {"before": x[cell].numpy().copy(), "after": after[cell].numpy().copy()}
                tables.append(pd.DataFrame({"cell": part.obs_names[cell], "step": step, "gene": data.genes, **columns}))
    return pd.concat(tables, ignore_index=True)


def _choose(adata: AnnData, cells: int | Sequence[str], rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Find the cells to show, and put others behind them to borrow from."""
    if not np.iterable(cells):
        if not is_whole(cells) or not 1 <= cells <= adata.n_obs:
            msg = f"`cells` must be between 1 and the number of cells ({adata.n_obs}), or their names; found {cells!r}."
            raise ValueError(msg)
        return rng.permutation(adata.n_obs)[: max(_MINIBATCH, int(cells))], int(cells)
    wanted = [cells] if isinstance(cells, str) else list(cells)
    if not wanted:
        msg = "`cells` is empty; give names of cells, or how many to draw at random."
        raise ValueError(msg)
    for name in wanted:
        found = int((adata.obs_names == name).sum())
        if found != 1:
            missing = "is not in adata.obs_names; give names that are, or how many cells to draw at random"
            what = f"{found} cells have; call adata.obs_names_make_unique() first" if found else missing
            msg = f"`cells` names {name!r}, which {what}."
            raise KeyError(msg)
    place = adata.obs_names.get_indexer_for(wanted)
    others = np.setdiff1d(rng.permutation(adata.n_obs)[:_MINIBATCH], place)
    return np.concatenate([place, others]), len(place)


def _words(step: object) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(step).__name__).lower()
