"""The recommended method with one ingredient changed at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from scclr_ext.engine.methods import ScclrConfig


class Variant(NamedTuple):
    """A config, and where it differs from the default: without batches, with `batch_key`, or both."""

    config: ScclrConfig | None
    plain: bool = True
    batch: bool = True
    linear: bool = False
    """Keep only what stands beside the learned dimensions."""
    candidates: float | None = None
    """Look neighbours up among this share of the cells, as is done where there are many."""


_BASE = ScclrConfig()

VARIANTS: dict[str, Variant] = {
    "PCA alone": Variant(None, batch=False),
    "default": Variant(_BASE),
    "no PCA beside": Variant(replace(_BASE, pca=False)),
    "nothing learned": Variant(_BASE, plain=False, linear=True),
    "no head": Variant(replace(_BASE, head=())),
    "no neighbours as positives": Variant(replace(_BASE, neighbor_probability=0.0), batch=False),
    "components count alike": Variant(replace(_BASE, signal_neighbors=False), batch=False),
    "neighbours among a fifth of the cells": Variant(_BASE, candidates=0.2),
    "random start": Variant(replace(_BASE, start_from_pca=False)),
    "no positives across batches": Variant(replace(_BASE, cross_batch_probability=0.0), plain=False),
    "300 steps": Variant(replace(_BASE, steps=300)),
    "temperature 0.5": Variant(replace(_BASE, temperature=0.5)),
    "mask 0.6": Variant(replace(_BASE, mask_rate=0.6)),
    "genes not scaled": Variant(replace(_BASE, scale=False)),
    "mask 0.4": Variant(replace(_BASE, mask_rate=0.4)),
    "1200 steps": Variant(replace(_BASE, steps=1200)),
    "early stopping": Variant(replace(_BASE, early_stopping=True)),
}

CHOSEN = (
    "PCA alone",
    "default",
    "no PCA beside",
    "nothing learned",
    "no head",
    "no neighbours as positives",
    "components count alike",
    "neighbours among a fifth of the cells",
    "random start",
    "no positives across batches",
)
"""For these the number of clusters is chosen as well, which costs as much as the embedding."""
