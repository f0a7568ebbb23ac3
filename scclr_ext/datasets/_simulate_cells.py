"""The Splat model of Splatter, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from scclr_ext._checks import check_random_state, check_share
from scclr_ext.datasets._assemble import assemble
from scclr_ext.datasets._blocks import Plan
from scclr_ext.datasets._checks import at_least, counts_per_batch, finite, paths, per_group, probabilities
from scclr_ext.datasets._factors import (
    bcv_factors,
    gene_means,
    lognormal_factors,
    path_factors,
    path_step_probabilities,
)
from scclr_ext.datasets._random import generator
from scclr_ext.datasets._splat import Dropout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from numpy.typing import NDArray


def simulate_cells(
    n_cells: int = 1000,
    n_genes: int = 2000,
    *,
    n_groups: int = 1,
    group_prob: Sequence[float] | None = None,
    n_batches: int = 1,
    batch_cells: Sequence[int] | None = None,
    mean_shape: float = 0.6,
    mean_rate: float = 0.3,
    lib_loc: float = 11.0,
    lib_scale: float = 0.2,
    out_prob: float = 0.05,
    out_facloc: float = 4.0,
    out_facscale: float = 0.5,
    de_prob: float | Sequence[float] = 0.1,
    de_downprob: float | Sequence[float] = 0.5,
    de_facloc: float | Sequence[float] = 0.1,
    de_facscale: float | Sequence[float] = 0.4,
    batch_facloc: float = 0.1,
    batch_facscale: float = 0.1,
    bcv_common: float = 0.1,
    bcv_df: float = 60.0,
    dropout_mid: float | Sequence[float] | None = None,
    dropout_shape: float | Sequence[float] = -1.0,
    dropout_by: Literal["batch", "group"] | None = None,
    path_from: Sequence[int] | None = None,
    path_n_steps: int = 100,
    path_skew: float = 0.5,
    path_nonlinear_prob: float = 0.1,
    path_sigma_fac: float = 0.8,
    path: str | PathLike[str] | None = None,
    compression: Literal["gzip", "lzf"] | None = None,
    chunk_size: int = 2048,
    n_jobs: int = 1,
    progress: bool | None = None,
    random_state: int = 0,
) -> AnnData:
    """Simulate counts of cells whose groups, batches and trajectories are known, by Splatter's Splat model.

    Names and defaults are Splatter's, with underscores for its dots. Its default library size, about 60 000 counts, is
    that of a plate-based experiment: `lib_loc=8.5` (about 5 000) is nearer to droplets.

    Parameters
    ----------
    n_cells
        Number of cells.
    n_genes
        Number of genes.
    n_groups
        Number of groups (cell types), or of paths where `path_from` is given.
    group_prob
        Share of each group, adding up to 1; None makes them equal. Cells are drawn, so a group's size varies.
    n_batches
        Number of batches of equal size, one after the other.
    batch_cells
        Cells in each batch instead; they must add up to `n_cells`.
    mean_shape, mean_rate
        Shape and rate of the gamma distribution of gene means.
    lib_loc, lib_scale
        Mean and standard deviation of the log of a cell's expected library size.
    out_prob, out_facloc, out_facscale
        Share of the genes that are expression outliers, and mean and standard deviation of the log of the factor
        between them and the median gene.
    de_prob, de_downprob, de_facloc, de_facscale
        Share of the genes that differ in a group, which share of these is lower there, and mean and standard deviation
        of the log of the factor. One number for all groups, or one for each.
    batch_facloc, batch_facscale
        The same of the factor by which each gene differs in each batch.
    bcv_common, bcv_df
        Biological coefficient of variation common to all genes, and the degrees of freedom with which genes differ in
        it; `inf` makes them alike.
    dropout_mid, dropout_shape
        A count is lost with probability ``1 / (1 + exp(-shape * (x - mid)))``, where `x` is the natural log of the
        gene's mean in the cell. None loses nothing. One number, or one for each batch or group (see `dropout_by`).
    dropout_by
        What several values of `dropout_mid` and `dropout_shape` belong to.
    path_from
        Simulate trajectories instead of groups: for each path the number (from 0) of the path at whose end it starts,
        or -1 for the common origin. ``[-1, 0, 0]`` is a stem that forks.
    path_n_steps
        Steps along each path.
    path_skew
        0.5 spreads cells evenly along a path, 1 crowds them at its start, 0 at its end.
    path_nonlinear_prob, path_sigma_fac
        Share of the genes that do not go straight from start to end, and how far they stray.
    path
        Write the data to this h5ad file, chunk by chunk, with memory for a few chunks only. An existing file is
        replaced once the new one is complete.
    compression
        Filter for the values in that file.
    chunk_size
        Cells that are drawn and written at a time. The counts do not depend on it.
    n_jobs
        Threads that draw counts. The counts do not depend on it.
    progress
        Show a progress bar while a file is written; None follows `scclr_ext.settings.progress`.
    random_state
        Seed of everything random. Genes, groups, cells and counts have generators of their own: with one batch, more
        cells leave the first ones as they were (but for the last 32).

    Returns
    -------
    Counts as a sparse matrix (CSR, float32), backed by the file where `path` is given. What is known about them:

    `obs["group"]`, `obs["batch"]`
        Group (or path) and batch of each cell.
    `obs["step"]`
        With `path_from`, how far along its path the cell is, from 0.
    `obs["expected_library_size"]`
        What the cell's counts add up to on average, before dropout.
    `var["base_mean"]`, `var["outlier_factor"]`, `var["gene_mean"]`
        Mean of each gene before and after it became an outlier, in Splat's units.
    `var["de_factor_group0"]`, `var["batch_factor_batch0"]`, ...
        Factor of each gene in each group (at the end of each path) and in each batch; 1 where it does not differ.
    `uns["simulation"]`
        All parameters, and how many non-zero counts there are and were lost to dropout.

    Raises
    ------
    ValueError
        Where a number is out of its range or a list has the wrong length.
    OSError
        Where there is no folder for `path`.

    Notes
    -----
    The model is that of Zappia, Phipson & Oshlack (2017), *Genome Biology* 18:174, as Splatter 1.30 computes it. As in
    that program, and unlike in the paper's formula, a gene's BCV varies with the cell only through its mean. Means and
    counts are drawn jointly, and the mean behind a count only where dropout needs it, from its distribution given the
    count: the counts have the same distribution as in Splatter, but the numbers differ from those of R.

    A path that starts at another path's end starts from that path's factors, and its own factors count from the origin.

    Examples
    --------
    >>> import scclr_ext as clr
    >>> adata = clr.datasets.simulate_cells(300, 500, n_groups=3, n_batches=2, lib_loc=8, dropout_mid=0)
    >>> adata.shape, sorted(adata.obs["group"].unique())
    ((300, 500), ['group0', 'group1', 'group2'])
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_THE_MODEL}
    random_state = check_random_state(random_state)
    at_least(1, n_cells=n_cells, n_genes=n_genes, chunk_size=chunk_size, n_jobs=n_jobs, path_n_steps=path_n_steps)
    at_least(0.0, lib_scale=lib_scale, out_facscale=out_facscale, batch_facscale=batch_facscale, bcv_common=bcv_common)
    at_least(0.0, path_sigma_fac=path_sigma_fac)
    finite(lib_loc=lib_loc, lib_scale=lib_scale, out_facloc=out_facloc, out_facscale=out_facscale)
    finite(batch_facloc=batch_facloc, batch_facscale=batch_facscale, bcv_common=bcv_common)
    finite(mean_shape=mean_shape, mean_rate=mean_rate, path_sigma_fac=path_sigma_fac)
    at_least(1e-12, mean_shape=mean_shape, mean_rate=mean_rate, bcv_df=bcv_df)
    check_share(out_prob=out_prob, path_skew=path_skew, path_nonlinear_prob=path_nonlinear_prob)
    sources = paths(path_from)
    if sources is not None and n_groups in (1, len(sources)):
        n_groups = len(sources)
    shares = probabilities(group_prob, n_groups, sources)
    sizes = counts_per_batch(batch_cells, n_batches, n_cells)
    de = per_group(len(shares), de_prob=de_prob, de_downprob=de_downprob, de_facloc=de_facloc, de_facscale=de_facscale)

    means = gene_means(
        n_genes,
        generator(random_state, 0),
        shape=mean_shape,
        rate=mean_rate,
        out_prob=out_prob,
        out_facloc=out_facloc,
        out_facscale=out_facscale,
    )
    rng = generator(random_state, 1)
    per_batch = np.array(
        [
            lognormal_factors(n_genes, rng, prob=1.0, down_prob=0.5, loc=batch_facloc, scale=batch_facscale)
            for _ in sizes
        ]
    )
    if len(sizes) == 1:
        per_batch[:] = 1.0
    rng = generator(random_state, 2)
    groups_differ = len(shares) > 1 or sources is not None
    factors = np.array(
        [
            lognormal_factors(n_genes, rng, prob=p if groups_differ else 0.0, down_prob=down, loc=loc, scale=scale)
            for p, down, loc, scale in zip(*de, strict=True)
        ]
    )
    cells = generator(random_state, 3).random((n_cells, 2))  # row by row: more cells leave the first as they are
    group = _draw(shares, cells[:, 0])
    batch = np.repeat(np.arange(len(sizes)), sizes)
    library_size = np.exp(generator(random_state, 4).normal(lib_loc, lib_scale, n_cells))
    if (largest := float(library_size.max())) > _MOST_COUNTS:
        msg = f"`lib_loc={lib_loc}` is a natural logarithm: a cell would have {largest:.2g} counts (11 are 60 000)."
        raise ValueError(msg)
    step = None
    state, states = group, factors
    if sources is not None:
        along = path_factors(
            factors,
            sources,
            generator(random_state, 5),
            n_steps=path_n_steps,
            nonlinear_prob=path_nonlinear_prob,
            sigma_fac=path_sigma_fac,
        )
        step = _draw(path_step_probabilities(path_n_steps, path_skew), cells[:, 1])
        state, states = group * path_n_steps + step, along.reshape(-1, n_genes)

    plan = Plan(
        states=states.astype(np.float32),
        batches=(means.mean * per_batch).astype(np.float32),
        state=state,
        batch=batch,
        library_size=library_size.astype(np.float32),
        bcv_common=bcv_common,
        bcv_factor=bcv_factors(n_genes, bcv_df, generator(random_state, 6)),
        seed=random_state,
        dropout=_dropout(dropout_mid, dropout_shape, dropout_by, group=group, batch=batch, n=(len(shares), len(sizes))),
    )
    obs = pd.DataFrame(
        {"group": _names("group", group, len(shares)), "batch": _names("batch", batch, len(sizes))},
        index=[f"cell{i}" for i in range(n_cells)],
    )
    if step is not None:
        obs["step"] = step
    obs["expected_library_size"] = library_size
    var = {"base_mean": means.base, "outlier_factor": means.outlier_factor, "gene_mean": means.mean}
    var |= {f"de_factor_group{i}": row for i, row in enumerate(factors)}
    var |= {f"batch_factor_batch{i}": row for i, row in enumerate(per_batch)}
    return assemble(
        plan,
        obs=obs,
        var=pd.DataFrame(var, index=[f"gene{i}" for i in range(n_genes)]),
        record={"model": "splat"} | {name: _plain(value) for name, value in given.items()},
        path=path,
        compression=compression,
        chunk_size=chunk_size,
        n_jobs=n_jobs,
        progress=progress,
    )


_MOST_COUNTS = 1e9
_NOT_THE_MODEL = frozenset({"path", "compression", "chunk_size", "n_jobs", "progress"})


def _plain(value: Any) -> Any:
    """Make a parameter fit for `uns`, which cannot hold None or a list."""
    if value is None:
        return "none"
    return value if isinstance(value, str | int | float) else np.asarray(value)


def _draw(shares: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum(np.searchsorted(np.cumsum(shares), uniform, side="right"), len(shares) - 1)


def _names(kind: str, codes: NDArray[np.int64], n: int) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=[f"{kind}{i}" for i in range(n)])


def _dropout(
    mid: float | Sequence[float] | None,
    shape: float | Sequence[float],
    by: str | None,
    *,
    group: NDArray[np.int64],
    batch: NDArray[np.int64],
    n: tuple[int, int],
) -> Dropout | None:
    if mid is None:
        return None
    if by not in (None, "batch", "group"):
        msg = f"`dropout_by` must be 'batch', 'group' or None; found {by!r}."
        raise ValueError(msg)
    which, size = (group, n[0]) if by == "group" else (batch, n[1] if by == "batch" else 1)
    curves = per_group(size, dropout_mid=mid, dropout_shape=shape)
    at = which if by else np.zeros_like(which)
    return Dropout(*(curve.astype(np.float32)[at] for curve in curves))
