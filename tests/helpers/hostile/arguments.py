"""Bad values for every argument that a public function has."""

from __future__ import annotations

from typing import Any

NAN, INFINITY = float("nan"), float("inf")

# Argument: values that no function can accept.
ARGUMENTS: dict[str, list[Any]] = {
    "method": ["magic", 3],
    "preset": ["magic"],
    "layer": ["nope"],
    "mask_var": ["nope", [True]],
    "mask_genes": ["nope", [True]],
    "batch_key": ["nope", ["batch", "donor"]],
    "labels": ["nope"],
    "cluster_key": ["nope", ["group"]],
    "use_rep": ["nope"],
    "neighbors_key": ["nope"],
    "key": ["nope"],
    "key_added": ["", "a/b", 3],
    "left": ["nope"],
    "right": ["nope"],
    "groupby": ["nope"],
    "unit": ["nope"],
    "reference": ["nope"],
    "groups": ["nope", ["nope"]],
    "rank_key": ["nope"],
    "score": ["nope", []],
    "color": ["nope", ["nope"]],
    "color_by": ["nope"],
    "min_fraction": [-0.1, 1.5, NAN],
    "n_top_genes": [0, -1, 2.5, "ten"],
    "candidates": [(), (0,), (-1, 5), ("ten",)],
    "tolerance": [-1.0, NAN],
    "n_splits": [0, 1.5],
    "max_cells": [0, -1],
    "precision": ["magic", 16],
    "rate": [-0.1, 1.0, 2, NAN, "half"],
    "resolution": [0.0, -1.0, NAN, "1"],
    "n_clusters": [0, -1, 1000, 2.5, True, "3"],
    "n_neighbors": [0, 1, -1, 2.5, "9"],
    "n_seeds": [0, 1, -1, 2.5, True, "five"],
    "cluster_method": ["magic"],
    "n_epochs": [0, -1, 1.5, "9"],
    "n_steps": [0, -1, 2.5, "9"],
    "batch_size": [0, 1, -1, 2.5],
    "learning_rate": [0.0, -1.0, NAN, "0.1"],
    "device": ["abacus", "cuda:99", "gpu", None],
    "devices": [0, -1],
    "num_nodes": [0, -1],
    "random_state": [-1, 2**32, 1.5, "0", None],
    "stage": ["nope"],
    "root": ["nope", 1000, -1],
    "cells": [0, -1, ["nope"], []],
    "n_genes": [0, -1],
    "min_overlap": [-0.1, 1.5, NAN],
    "novelty_quantile": [-0.1, 1.5, NAN],
    "ax": ["here", 3],
}
# Arguments without a bad value of their own, and where they are tested.
ELSEWHERE = {
    **dict.fromkeys(
        (
            "check_values",
            "copy",
            "show",
            "return_fig",
            "progress",
            "keep_weights",
            "join",
            "keep_graph",
            "subset",
            "overwrite",
        ),
        "a switch",
    ),
    "defer": "a switch",
    "early_stopping": "a switch",
    "paired": "a switch",
    "checkpoint_dir": "tests/engine",
    "resume": "a switch",
    "folder": "tests/io",
    "model": "the AnnData",
    "title": "any text will do",
    "adata": "test_anndata.py",
}
# Functions for which a value above is fine, and why.
FINE: dict[tuple[str, str], list[Any]] = {
    ("pp.select_n_top_genes", "n_neighbors"): [1],
    ("tl.map_query", "n_neighbors"): [1],
    ("tl.map_query", "reference"): ["nope"],  # the name of a folder: tests/io
    ("tl.stability", "key"): ["nope"],  # it is not read where a `method` is given
}
