"""Labels from weighted neighbours, with a confidence that means what it says; and cells unlike any. Arrays only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scclr_ext.tl._mapping.neighborhoods import Neighborhoods, hold_out, look_up, usual_distances

if TYPE_CHECKING:
    from scclr_ext.io import Reference

_TINY = float(np.finfo(np.float32).tiny)
_HELD_OUT = 10_000
"""Reference cells that are held out: more change nothing."""
_VOTERS = 100_000
"""Query cells that are labelled at a time."""
_SMOOTHING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
_SHARPNESS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)


def vote(around: Neighborhoods, codes: np.ndarray, n_labels: int) -> np.ndarray:
    """Share of each label among a cell's neighbours, nearer ones counting more; ``(cells, labels)``.

    A neighbour's weight falls like a bell curve whose width is the distance to the farthest one.
    """
    width = np.maximum(around.distances[:, -1:], _TINY)
    weights = np.exp(-((around.distances / width) ** 2))
    shares = np.zeros((len(weights), n_labels))
    rows = np.repeat(np.arange(len(weights)), weights.shape[1])
    np.add.at(shares, (rows, codes[around.places].ravel()), weights.ravel())
    return shares / shares.sum(axis=1, keepdims=True)


class Calibration(NamedTuple):
    """From shares of votes to chances of being right.

    The share of a label, plus `smoothing` times how frequent the label is, to the power `sharpness`, all adding up to
    one: two numbers, so that a small reference cannot be overfitted.
    """

    smoothing: float
    sharpness: float
    frequency: np.ndarray

    def probabilities(self, shares: np.ndarray) -> np.ndarray:
        """Turn shares into probabilities, both ``(cells, labels)``; the order of the labels may change."""
        powers = (shares + self.smoothing * self.frequency) ** self.sharpness
        return powers / powers.sum(axis=1, keepdims=True)


def calibrate(shares: np.ndarray, truth: np.ndarray) -> Calibration:
    """Find the two numbers under which the labels of held-out cells, ``(cells,)``, are most likely.

    Parameters
    ----------
    shares
        What their neighbours voted, ``(cells, labels)``.
    truth
        Their labels.
    """
    # Counted with one more of each, so that no label is impossible.
    frequency = (np.bincount(truth, minlength=shares.shape[1]) + 1) / (len(truth) + shares.shape[1])
    candidates = [Calibration(a, b, frequency) for a in _SMOOTHING for b in _SHARPNESS]
    own = np.arange(len(truth)), truth
    return max(candidates, key=lambda c: np.log(c.probabilities(shares)[own]).mean())


class Assessment(NamedTuple):
    """What the reference says about the query's cells.

    `codes` and `confidence` are None where the reference has no labels. `novelty` is above 1 for a cell that is
    farther from its neighbours than the wanted share of held-out reference cells are from theirs.
    """

    codes: np.ndarray | None
    confidence: np.ndarray | None
    novelty: np.ndarray
    novel: np.ndarray
    """Whether it is above 1."""
    held_out: dict[str, float | int]
    """How held-out reference cells fared: how many there were, which share got its own label back, the mean of their
    confidence, the limit of novelty in units of the score, and the two numbers of the calibration."""

    def without(self, empty: np.ndarray) -> Assessment:
        """Take back what was said about cells of which nothing is known: an empty cell lies somewhere, too."""
        return self._replace(
            codes=None if self.codes is None else np.where(empty, -1, self.codes),
            confidence=None if self.confidence is None else np.where(empty, 0.0, self.confidence),
            novelty=np.where(empty, np.nan, self.novelty),
            novel=self.novel | empty,
        )


def assess(
    reference: Reference, cells: np.ndarray, *, n_neighbors: int, quantile: float, rng: np.random.Generator
) -> Assessment:
    """Label query cells, and say how sure that is and how far they are from anything known.

    Parameters
    ----------
    reference
        Embedded reference cells.
    cells
        The query, embedded likewise, shape ``(cells, dimensions)``.
    n_neighbors
        Reference cells that are asked.
    quantile
        Share of held-out reference cells that are not novel.
    rng
        Picks the cells to hold out, where there are many, and starts an approximate search.
    """
    center = reference.embedding.mean(axis=0)
    rep, cells = directions(reference.embedding, center), directions(cells, center)
    n = len(rep)
    held = _some(n, rng)
    around_held = hold_out(rep, reference.batches, held, n_neighbors, rng)
    around = look_up(rep, cells, n_neighbors, rng)
    seen = np.union1d(around.places, around_held.places)
    usual = usual_distances(rep, reference.batches, seen, held, around_held, rng)
    limit = max(float(np.quantile(strangeness(around_held, usual), quantile)), _TINY)
    novelty = strangeness(around, usual) / limit
    told: dict[str, float | int] = {"n_cells": len(held), "novelty_limit": limit}
    if not reference.labels:
        return Assessment(None, None, novelty, novelty > 1, told)

    known = np.flatnonzero(reference.codes >= 0)
    codes, n_labels = reference.codes[known], len(reference.labels)
    if len(known) < n:  # cells without a label have no vote
        held = _some(len(known), rng)
        around_held = hold_out(rep[known], reference.batches[known], held, n_neighbors, rng)
        around = look_up(rep[known], cells, n_neighbors, rng)
    shares = vote(around_held, codes, n_labels)
    calibration = calibrate(shares, codes[held])
    held_probabilities = calibration.probabilities(shares)
    chosen, confidence = np.empty(len(cells), dtype=np.int64), np.empty(len(cells))
    for start in range(0, len(cells), _VOTERS):  # cells times labels would be large
        part = slice(start, start + _VOTERS)
        voted = vote(Neighborhoods(around.distances[part], around.places[part]), codes, n_labels)
        probabilities = calibration.probabilities(voted)
        chosen[part], confidence[part] = probabilities.argmax(axis=1), probabilities.max(axis=1)
    told |= {
        "accuracy": float((held_probabilities.argmax(axis=1) == codes[held]).mean()),
        "confidence": float(held_probabilities.max(axis=1).mean()),
        "smoothing": calibration.smoothing,
        "sharpness": calibration.sharpness,
    }
    return Assessment(chosen, confidence, novelty, novelty > 1, told)


def _some(n: int, rng: np.random.Generator) -> np.ndarray:
    """Of `n` cells those that are held out."""
    return np.arange(n) if n <= _HELD_OUT else np.sort(rng.choice(n, _HELD_OUT, replace=False))


def directions(rep: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Where each cell lies as seen from the reference's centre, unit length: neighbours are those at a small angle."""
    shifted = rep - center
    return shifted / np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), _TINY)


def strangeness(around: Neighborhoods, usual: np.ndarray) -> np.ndarray:
    """Mean distance to the neighbours, as a multiple of what these cells have to their own neighbours, ``(cells,)``.

    The ratio makes cells of dense and of scattered types comparable (as in the local outlier factor, Breunig et al.
    2000).

    Parameters
    ----------
    around
        The neighbours among the reference cells.
    usual
        Mean distance of each reference cell, held out, to its neighbours.
    """
    return around.distances.mean(axis=1) / np.maximum(usual[around.places].mean(axis=1), _TINY)
