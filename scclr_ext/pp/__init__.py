"""Preprocessing: from counts to what the models read."""

from scclr_ext.pp._contrastive_preprocess import contrastive_preprocess

__all__ = ["contrastive_preprocess"]
