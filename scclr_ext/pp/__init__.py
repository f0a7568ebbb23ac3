"""Preprocessing: from counts to what the models read."""

from scclr_ext.pp._contrastive_preprocess import contrastive_preprocess
from scclr_ext.pp._select_n_top_genes import select_n_top_genes
from scclr_ext.pp._simulate_dropout import simulate_dropout

__all__ = ["contrastive_preprocess", "select_n_top_genes", "simulate_dropout"]
