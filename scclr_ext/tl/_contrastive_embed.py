"""An AnnData goes in, an embedding comes out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scclr_ext import _keys
from scclr_ext._anndata import check_adata, writable
from scclr_ext._checks import check_key_added, check_random_state
from scclr_ext._docs import shared_docs
from scclr_ext._records import EMBEDDING, MAPPING, check_free, embedding_params, is_record
from scclr_ext._settings import report, settings
from scclr_ext._values.stored import check_copy
from scclr_ext._warn import warn
from scclr_ext.engine.checkpoint import check_resume
from scclr_ext.engine.diagnostics import find_collapse
from scclr_ext.engine.methods import resolve
from scclr_ext.engine.run import run
from scclr_ext.tl._embedding.model_input import look_at_logarithms, read_model_input
from scclr_ext.tl._embedding.published import warn_of_other_recipe
from scclr_ext.tl._embedding.record import embedding_record
from scclr_ext.tl._embedding.training_options import with_options

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from scclr_ext._keys import EmbeddingKeys
    from scclr_ext.engine.config import MethodConfig


@shared_docs
def contrastive_embed(
    adata: AnnData,
    method: str | MethodConfig = "clear",
    *,
    preset: str | None = None,
    layer: str | None = None,
    mask_var: str | NDArray[np.bool_] | None = "auto",
    batch_key: str | None = None,
    check_values: bool = True,
    key_added: str | None = None,
    n_epochs: int | None = None,
    n_steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    early_stopping: bool | None = None,
    device: str = "auto",
    devices: int = 1,
    num_nodes: int = 1,
    precision: str = "auto",
    random_state: int = 0,
    checkpoint_dir: str | Path | None = None,
    resume: bool = False,
    progress: bool | None = None,
    keep_weights: bool = True,
    copy: bool = False,
) -> AnnData | None:
    """Learn an embedding of the cells by contrasting distorted views of them.

    Two random distortions of the same cell should end up close together and apart from other cells; what survives
    the distortion is what cells of one kind share. The embedding takes the place of a PCA: hand it to
    `sc.pp.neighbors(adata, use_rep="X_clr")` or to :func:`scclr_ext.tl.contrastive_cluster`.

    Parameters
    ----------
    {adata}
        Its values are log-normalised, as :func:`scclr_ext.pp.contrastive_preprocess` leaves them.
    method
        `"clear"` (Han et al. 2022), `"contrastive-sc"` (Ciortan & Defrance 2021), `"scclr"` (ours, for data with
        batches first of all), or a config object (:class:`~scclr_ext.tl.ClearConfig`, ...), through which
        every constant can be set.
    preset
        `"default"` (as None): what we recommend. `"paper"`: the constants of the paper's text. `"code"`: those of
        the authors' program, where the two differ. `"scclr"` has the default only.
    {layer}
    mask_var
        Genes the model sees: a boolean column of `var` or a boolean array; None for all genes. `"auto"` is
        `"highly_variable"` where that column exists, else all genes.
    {batch_key}
        Every minibatch is then drawn from one batch, so that its cells cannot be told apart by their batch; `"scclr"`
        and `"clear"` also draw together cells of different batches that are mutual nearest neighbours. Batches too
        small for minibatches of their own (below an eighth of one) are trained with the largest.
    check_values
        Look at some cells, and refuse what seem to be logarithms to another base, or none at all; warn of logarithms of
        counts that were not normalised. This may err: False takes them for what the model reads.
    {key_added}
    n_epochs
        Train for this many passes over the cells instead of what the method says.
    n_steps
        Train for this many minibatches instead of what the method says. Not together with `n_epochs`.
    batch_size
        Cells per minibatch instead of what the method says.
    learning_rate
        Highest learning rate instead of what the method says.
    early_stopping
        Take the number of epochs or steps as the most there may be, and end the training once the neighbourhoods of
        1 000 cells in the embedding have stopped settling. No labels are looked at. None for what the method says,
        which is no.
    {device}
    devices
        Processes on this machine that share the work, one GPU (or a part of the CPU) each; each minibatch is split
        between them, and the loss is that of the whole. They run the same program: from a script or the command line,
        not from a notebook. Every process gets the result.
    num_nodes
        Machines, each with `devices` processes, under `torchrun` or SLURM.
    precision
        Of the encoder's matrix products during the training; everything else, and the embedding of the trained model,
        is computed in single precision. `"auto"`: `"bf16"` on NVIDIA GPUs from Ampere on, else `"float32"`. `"bf16"`
        also speeds up processors with AMX or AVX512-BF16, and is slow on others. `"tf32"`, for NVIDIA GPUs, holds for
        all products of the training, those of the loss as well.
    {random_state}
    checkpoint_dir
        Folder in which the state of the training is saved now and then.
    resume
        Go on with the training whose state is in `checkpoint_dir`, if there is one. On the CPU the result then has
        the same bits as that of a training that was never interrupted.
    {progress}
    keep_weights
        Keep the trained weights in the record, 0.5 to 3 MB (9 MB with CLEAR's published presets):
        :func:`scclr_ext.io.save` and :func:`scclr_ext.tl.map_query` need them, today or from a file read next year.
    {copy}

    Returns
    -------
    None, or the changed copy. Written, all at the end, are

    `obsm["X_clr"]`
        The embedding, float32 of shape `(n_cells, n_dimensions)`.
    `uns["clr"]`
        How it was made: parameters, seed, versions, device, the genes with their means and standard deviations, the
        library size of the values, the training's history, from which :func:`scclr_ext.pl.embedding_qc` draws, and
        the trained weights.

    Raises
    ------
    KeyError
        Where `layer`, `mask_var` or `batch_key` is missing.
    ValueError
        Where the values are raw counts, unlogged, scaled (negative), NaN or infinite, logarithms of counts that were
        not normalised or to another base, or changed since their normalising was left to this function, there are fewer
        than two cells or no genes, `batch_key` leaves most cells alone or is a measurement, an option is out of range,
        several processes are asked for in a notebook, what `checkpoint_dir` holds is damaged or of another run, or the
        entry of `uns` to write is another kind of record, or that of another embedding, which would be lost.
    TypeError
        Where `adata` is no AnnData, its values are not numbers, or `method` is neither a name nor a config.
    FloatingPointError
        Where the training diverges.
    FileExistsError
        Where `checkpoint_dir` holds the state of a training and `resume` is False.
    NotADirectoryError
        Where `checkpoint_dir` is a file.
    OSError
        Where nothing can be written to `checkpoint_dir`.

    Warns
    -----
    UserWarning
        Where the embedding has collapsed, or the loss stayed at chance. Where logarithms are of counts that were not
        normalised, or of samples that were brought to library sizes of their own. Where the state of the training
        could not be saved (it goes on). Or where a published preset is asked for, and
        :func:`scclr_ext.pp.contrastive_preprocess` was told another method's recipe.

    Notes
    -----
    The call can be interrupted at any time: `adata` then is as it was before.

    Examples
    --------
    >>> import numpy as np, anndata as ad, scclr_ext as clr
    >>> counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype("float32")
    >>> adata = ad.AnnData(counts)
    >>> clr.pp.contrastive_preprocess(adata)
    >>> clr.tl.contrastive_embed(adata, n_steps=5, progress=False, device="cpu")
    >>> adata.obsm["X_clr"].shape
    (60, 128)
    """
    check_adata(adata)
    check_key_added(key_added, or_none=True)
    keys = _keys.embedding_keys(key_added)
    check_free(adata, keys.uns, EMBEDDING)
    _check_no_other_embedding(adata, keys)
    check_copy(adata, copy=copy)
    random_state = check_random_state(random_state)
    choice = resolve(method, preset)
    trained = with_options(
        choice,
        n_epochs=n_epochs,
        n_steps=n_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        early_stopping=early_stopping,
    )
    check_resume(checkpoint_dir, resume=resume)
    data = read_model_input(adata, layer=layer, mask_var=mask_var, batch_key=batch_key)
    look_at_logarithms(adata, data, check_values=check_values)
    if preset is not None:
        warn_of_other_recipe(adata, choice, data)

    started = time.perf_counter()
    result = run(
        trained.config,
        data.matrix,
        batches=data.batches,
        device=device,
        devices=devices,
        num_nodes=num_nodes,
        precision=precision,
        random_state=random_state,
        checkpoint_dir=checkpoint_dir,
        resume=resume,
        progress=settings.shows(progress),
        max_bytes=settings.max_bytes,
    )
    data.check_again()

    problem = find_collapse(result.embedding, result.history)
    if problem is not None:
        warn(
            f"Do not trust this embedding: {problem}. Look at scclr_ext.pl.embedding_qc(adata); train longer "
            "(`n_steps`), lower `learning_rate`, or use the method's default preset."
        )
    record = embedding_record(trained, data, result, keys, random_state=random_state, keep_weights=keep_weights)
    record["seconds"] = time.perf_counter() - started
    target = writable(adata, copy=copy)
    target.obsm[keys.obsm] = result.embedding
    target.uns[keys.uns] = record
    report(f"added obsm[{keys.obsm!r}], {result.embedding.shape[1]} dimensions, and its record uns[{keys.uns!r}]")
    return target if copy else None


def _check_no_other_embedding(adata: AnnData, keys: EmbeddingKeys) -> None:
    """Refuse to part an embedding or a mapping that is there from its record: neither would be true of the other."""
    for name, record in adata.uns.items():
        mapped_to = record["params"].get("obsm_key") if is_record(record, MAPPING) else None
        if mapped_to == keys.obsm and keys.obsm in adata.obsm:
            msg = (
                f"adata.obsm[{keys.obsm!r}] is where these cells were mapped onto a reference (its record is "
                f"adata.uns[{name!r}]), and would be written over; give another name as `key_added`, or remove the "
                f"record first (del adata.uns[{name!r}])."
            )
            raise ValueError(msg)
        obsm_key = str(embedding_params(record).get("obsm_key", ""))
        if obsm_key in adata.obsm and (name == keys.uns) != (obsm_key == keys.obsm):
            msg = (
                f"`key_added`: adata.uns[{name!r}] is the record of the embedding in adata.obsm[{obsm_key!r}], and one "
                "of the two would be written over; give another name."
            )
            raise ValueError(msg)
