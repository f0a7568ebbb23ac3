"""Data to try things on: simulated cells whose truth is known, and published studies."""

from scclr_ext.datasets._simulate_cells import simulate_cells
from scclr_ext.datasets._simulate_covid_pbmc import simulate_covid_pbmc
from scclr_ext.datasets._wilk2020_covid import wilk2020_covid

__all__ = ["simulate_cells", "simulate_covid_pbmc", "wilk2020_covid"]
