"""Reference cells around others: all pairs are compared, or of very many only those in parts nearby. Arrays only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.neighbors import NearestNeighbors

_EXACT_PAIRS = 5 * 10**9
"""Up to here all pairs of cells are compared, which takes half a minute."""
_PARTS_AROUND, _CELLS_PER_PART = 32, 50
"""Parts of the reference that are searched, which have 98 % of the nearest cells; cells that say where a part lies."""
_LEAST_ELSEWHERE = 1 / 8
"""Share of the cells: where all other batches hold fewer, a cell's own neighbours are not to be found there."""
_FEWEST_KNOWN, _KNOWN_CELLS = 1000, 5
"""Cells that say how dense all others lie, and how many of them are asked for each."""


class Neighborhoods(NamedTuple):
    """Distances to each cell's nearest reference cells and their places, nearest first: ``(cells, neighbours)``."""

    distances: np.ndarray
    places: np.ndarray


def find_neighbors(rep: np.ndarray, cells: np.ndarray, n_neighbors: int) -> Neighborhoods:
    """Find the nearest of the reference cells `rep` for each of `cells`; exactly, by brute force."""
    search = NearestNeighbors(n_neighbors=min(n_neighbors, len(rep)), algorithm="brute").fit(rep)
    return Neighborhoods(*search.kneighbors(cells))


def look_up(rep: np.ndarray, cells: np.ndarray, n_neighbors: int, rng: np.random.Generator) -> Neighborhoods:
    """Find the nearest of the reference cells `rep` for each of `cells`; of very many nearly all of them.

    The reference is then cut into parts by k-means, as many as the root of its size, and each cell is compared with
    those in the parts around its own only (an inverted file: Jégou et al. 2011).
    """
    if len(rep) * len(cells) <= _EXACT_PAIRS:
        return find_neighbors(rep, cells, n_neighbors)
    k, n_parts = min(n_neighbors, len(rep)), int(len(rep) ** 0.5)
    some = rng.choice(len(rep), min(len(rep), n_parts * _CELLS_PER_PART), replace=False)
    means = MiniBatchKMeans(n_parts, n_init=1, compute_labels=False, random_state=int(rng.integers(2**32)))
    centers = means.fit(rep[some]).cluster_centers_
    members, own = (_members(centers, each) for each in (rep, cells))
    found = Neighborhoods(np.empty((len(cells), k), dtype=rep.dtype), np.empty((len(cells), k), dtype=np.int64))
    for inside, parts in zip(own, find_neighbors(centers, centers, n_parts).places, strict=True):
        enough = int(np.searchsorted(np.cumsum([len(members[part]) for part in parts]), k)) + 1
        among = np.concatenate([members[part] for part in parts[: max(enough, _PARTS_AROUND)]])
        if len(inside):
            distances, places = find_neighbors(rep[among], cells[inside], k)
            found.distances[inside], found.places[inside] = distances, among[places]
    return found


def _members(centers: np.ndarray, cells: np.ndarray) -> list[np.ndarray]:
    """Say which cells lie nearest to each centre."""
    nearest = find_neighbors(centers, cells, 1).places[:, 0]
    sizes = np.bincount(nearest, minlength=len(centers))
    return np.split(np.argsort(nearest, kind="stable"), np.cumsum(sizes)[:-1])


def hold_out(
    rep: np.ndarray, batches: np.ndarray, held: np.ndarray, n_neighbors: int, rng: np.random.Generator
) -> Neighborhoods:
    """Treat reference cells as if they were new: each finds its neighbours among the others.

    With batches, among the cells of other batches: new cells come from a new batch, too. But not where nearly all cells
    are of one batch, whose types the few others need not have.

    Parameters
    ----------
    rep
        Reference cells, shape ``(cells, dimensions)``.
    batches
        Batch of each, integers from 0; all the same where there is but one.
    held
        Which cells to hold out.
    n_neighbors
        Neighbours wanted; fewer where there are fewer cells.
    rng
        For :func:`look_up`.
    """
    elsewhere = len(rep) - int(np.bincount(batches).max())
    if elsewhere < max(n_neighbors, _LEAST_ELSEWHERE * len(rep)):
        k = min(n_neighbors, len(rep) - 1)
        found = look_up(rep, rep[held], k + 1, rng)
        own = found.places == held[:, None]
        own[~own.any(axis=1), -1] = True  # of many cells in one place, itself was not found
        return Neighborhoods(*(part[~own].reshape(len(held), k) for part in found))
    distances = np.empty((len(held), n_neighbors), dtype=rep.dtype)
    places = np.empty((len(held), n_neighbors), dtype=np.int64)
    for batch in np.unique(batches[held]):
        inside, others = batches[held] == batch, np.flatnonzero(batches != batch)
        found = look_up(rep[others], rep[held[inside]], n_neighbors, rng)
        distances[inside], places[inside] = found.distances, others[found.places]
    return Neighborhoods(distances, places)


def usual_distances(
    rep: np.ndarray,
    batches: np.ndarray,
    wanted: np.ndarray,
    held: np.ndarray,
    around_held: Neighborhoods,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mean distance of each reference cell, held out, to its neighbours, ``(cells,)``; undefined for unwanted ones.

    Of very many wanted cells some are held out, and the others take what the nearest of these have on average: how
    dense cells lie changes slowly from cell to cell.

    Parameters
    ----------
    rep, batches, held
        As for :func:`hold_out`.
    wanted
        Which cells it is needed for.
    around_held
        What :func:`hold_out` found.
    rng
        Picks these, where there are many.
    """
    usual = np.empty(len(rep), dtype=rep.dtype)
    usual[held] = around_held.distances.mean(axis=1)
    rest = np.setdiff1d(wanted, held)
    some, n_neighbors = rest, around_held.places.shape[1]
    if many := len(rest) * len(rep) > _EXACT_PAIRS:
        # Others than were held out: these must not be told by themselves how dense the cells around them lie.
        some = rng.choice(rest, min(len(rest), max(_FEWEST_KNOWN, _EXACT_PAIRS // len(rep))), replace=False)
    if len(some):
        usual[some] = hold_out(rep, batches, some, n_neighbors, rng).distances.mean(axis=1)
    if many:
        others = np.setdiff1d(rest, some)
        usual[others] = usual[some][look_up(rep[some], rep[others], _KNOWN_CELLS, rng).places].mean(axis=1)
    return usual
