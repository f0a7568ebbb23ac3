"""Every experiment of the CLEAR and contrastive-sc papers: ``python -m benchmarks.papers``."""
