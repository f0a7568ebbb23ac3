"""Which cells of other batches are a cell's partners, and which are merely nearest where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy import linalg, sparse
from sklearn.neighbors import NearestNeighbors

from scclr_ext.engine.agreement import agreement
from scclr_ext.engine.neighbors import Neighbors, mutual_neighbors, sample_of_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 3
"""Of finding partners and moving batches towards each other, before partners are looked up for good."""
_FIRST_LOOK = 20_000
"""Cells that these are content with: they have the effect of a batch to estimate."""
_TOO_FAR = 2.5
"""Times the usual: what lies between partners beyond the offsets of their batches is a difference between types."""
_REWEIGHTINGS = 10


class _Around(NamedTuple):
    """The cells around each cell in its own batch, ones in ``(cells, sample)``, and how far out they lie."""

    sample: NDArray[np.int64]
    links: sparse.csr_array
    radius: NDArray[np.float64]


def partners(
    rep: np.ndarray, weights: np.ndarray, batches: np.ndarray, n_neighbors: int, random_state: int
) -> tuple[Neighbors, NDArray[np.float64]]:
    """Find the mutual neighbours in other batches, and the directions on which they agree.

    A cell of a type that the other batches lack has mutual neighbours all the same: of the type most like it that has
    no better match. What gives them away is a batch effect like no other. Each batch is given an offset such that
    most partners meet. What then still lies between a cell and its partners, averaged over the cells around it, is a
    batch effect that only these cells have; or, if much longer than usual (in units of how far out these cells lie),
    a difference between types, and the cell has no partners. The effects are taken away, and partners are looked up
    again among the directions on which they agree.

    Parameters
    ----------
    rep
        Scores of the principal components, shape ``(cells, components)``.
    weights
        Of each component, by which its scores have the variance of their signal: what neighbours are looked up in.
    batches
        Batch of each cell.
    n_neighbors
        See :func:`~scclr_ext.engine.neighbors.mutual_neighbors`.
    random_state
        Says which cells estimate the effects, and which are candidates in the last search, where there are many.

    Returns
    -------
    The neighbours, and what :func:`~scclr_ext.engine.agreement.agreement` makes of them.
    """
    codes = np.unique(batches, return_inverse=True)[1]
    signal = (rep * weights)[:, weights > 0]
    some, everyone = sample_of_each(codes, _FIRST_LOOK, random_state), np.arange(len(rep))
    around = _around(signal, codes, some, n_neighbors)
    place = signal
    for _ in range(_ROUNDS):
        found = mutual_neighbors(place[some], codes[some], n_neighbors, random_state)
        effect, trusted = _effect(signal, codes, some, found, around)
        turn = agreement(signal[some], _among(found, trusted[some]))
        place = ((signal - effect) @ turn if turn.shape[1] else signal - effect).astype(np.float32)
    found = mutual_neighbors(place, codes, n_neighbors, random_state)
    found = _among(found, _effect(signal, codes, everyone, found, around)[1])
    return found, agreement(rep, found)


def _effect(
    x: np.ndarray, codes: NDArray[np.int64], cells: NDArray[np.int64], pairs: Neighbors, around: _Around
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Estimate the batch effect on every cell from pairs of `cells`, and whether it is one.

    Of what is left between partners beyond their batches' offsets it is one half: they come towards each other.
    """
    counts = np.diff(pairs.indptr)
    to_partners = sparse.csr_array(
        (np.repeat(1 / np.maximum(counts, 1), counts), pairs.indices.numpy(), pairs.indptr.numpy()),
        shape=(len(cells), len(cells)),
    )
    offsets = _offsets(x[cells], codes[cells], to_partners)
    met = (counts > 0)[:, None]
    rest = x[cells] - offsets[codes[cells]]
    rest = np.where(met, rest - to_partners @ rest, 0)
    sample = np.searchsorted(cells, around.sample)
    beyond = around.links @ rest[sample] / np.maximum(around.links @ met[sample], 1)
    length = np.linalg.norm(beyond, axis=1) / around.radius
    usual = np.median(length[cells[counts > 0]]) if len(pairs.indices) else 0.0
    trusted = length <= _TOO_FAR * usual
    return offsets[codes] + trusted[:, None] * beyond / 2, trusted


def _offsets(x: np.ndarray, codes: NDArray[np.int64], to_partners: sparse.csr_array) -> NDArray[np.float64]:
    """Find the offsets, ``(batches, components)``, with the least sum of distances from cells to their mean partner.

    Of distances, not of their squares (by reweighting): what most pairs say holds, however far off the others are.
    """
    batch = sparse.csr_array((np.ones(len(x)), (codes, np.arange(len(x)))))
    weights = np.ones(len(x))
    offsets = np.zeros((batch.shape[0], x.shape[1]))
    for _ in range(_REWEIGHTINGS):
        links = sparse.diags_array(weights) @ to_partners
        degrees = links.sum(axis=1) + links.sum(axis=0)
        laplacian = sparse.diags_array(degrees) - links - links.T
        offsets = linalg.lstsq((batch @ laplacian @ batch.T).toarray(), batch @ (laplacian @ x))[0]
        rest = x - offsets[codes]
        distance = np.linalg.norm(rest - to_partners @ rest, axis=1)
        weights = 1 / (distance + 1e-3 * distance.mean() + np.finfo(np.float32).tiny)
    return offsets


def _around(x: np.ndarray, codes: NDArray[np.int64], sample: NDArray[np.int64], n_neighbors: int) -> _Around:
    rows, columns, radius = [], [], np.zeros(len(x))
    for code in np.unique(codes):
        cells, others = np.flatnonzero(codes == code), np.flatnonzero(codes[sample] == code)
        search = NearestNeighbors(n_neighbors=min(n_neighbors + 1, len(others))).fit(x[sample[others]])
        distance, place = search.kneighbors(x[cells])
        rows.append(np.repeat(cells, place.shape[1]))
        columns.append(others[place].ravel())
        radius[cells] = distance[:, -1]
    places = (np.concatenate(rows), np.concatenate(columns))
    links = sparse.csr_array((np.ones(len(places[0])), places), shape=(len(x), len(sample)))
    return _Around(sample, links, radius + np.finfo(np.float32).tiny)


def _among(pairs: Neighbors, trusted: NDArray[np.bool_]) -> Neighbors:
    """Leave out the pairs of cells that are not trusted."""
    indices = pairs.indices.numpy()
    rows = np.repeat(np.arange(len(trusted)), np.diff(pairs.indptr))
    kept = trusted[rows] & trusted[indices]
    counts = np.bincount(rows[kept], minlength=len(trusted))
    return Neighbors(torch.from_numpy(np.concatenate([[0], np.cumsum(counts)])), torch.from_numpy(indices[kept]))
