"""Preprocessing: from counts to what the models read."""

from scclr_ext.pp._contrastive_preprocess import contrastive_preprocess
from scclr_ext.pp._simulate_dropout import simulate_dropout

__all__ = ["contrastive_preprocess", "simulate_dropout"]
