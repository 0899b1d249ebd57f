"""From which probability each of several labels is given: chosen on validation rows, where F1 is highest.

One half is right for who minds a label too many as much as a label too few; F1 of rare labels is nearly always highest
below it (Lipton et al. 2014, arXiv:1402.1892). A threshold lies midway between two probabilities; of equally good ones
the nearest to one half is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

How: TypeAlias = Literal["auto", "global", "per_label"]

HALF = 0.5
ENOUGH_ROWS = 20
_LEAST, _MOST = 0.01, 0.99


def choose_thresholds(probabilities: Array, gold: Array, how: How = "auto") -> Array:
    """The threshold of each label, (C,).

    ``global``: one for all, where F1 over all decisions (micro) is highest. ``per_label``: for each where its own F1 is
    highest. ``auto``: its own where at least twenty rows have the label and twenty have it not, elsewhere the one for
    all: on fewer rows the best threshold is mostly luck.

    Args:
        probabilities: (N, C).
        gold: which labels each row has, bool (N, C).

    Raises:
        ValueError: the shapes do not fit.
    """
    probabilities, gold = np.asarray(probabilities, dtype=np.float64), np.asarray(gold, dtype=bool)
    if probabilities.ndim != 2 or probabilities.shape != gold.shape:
        raise ValueError(f"gold must be {probabilities.shape}. Got {gold.shape} instead.")
    shared = best_threshold(probabilities.ravel(), gold.ravel())
    if how == "global":
        return np.full(gold.shape[1], shared)
    having = gold.sum(axis=0)
    rare = np.minimum(having, len(gold) - having) < (ENOUGH_ROWS if how == "auto" else 1)
    fallback = shared if how == "auto" else HALF
    own = [fallback if rare[k] else best_threshold(probabilities[:, k], gold[:, k]) for k in range(gold.shape[1])]
    return np.array(own, dtype=np.float64)


def best_threshold(probabilities: Array, gold: Array) -> float:
    """The threshold at which the F1 of saying yes from there on is highest; one half where no row says yes.

    Args:
        probabilities: (N,).
        gold: bool (N,).
    """
    if not gold.any():
        return HALF
    order = np.argsort(-probabilities, kind="stable")
    sorted_, right = probabilities[order], gold[order]
    hits = np.cumsum(right)
    scores = 2 * hits / (np.arange(1, len(order) + 1) + right.sum())
    # A cut between two equal probabilities cannot be made.
    cuts = np.append(sorted_[:-1] > sorted_[1:], True)
    lower = np.append(sorted_[1:], 0.0)
    cuts &= (sorted_ >= _LEAST) & (lower < _MOST)
    if not cuts.any():
        return HALF
    places = np.clip((sorted_ + lower) / 2, _LEAST, _MOST)
    best = np.flatnonzero(cuts & (scores >= scores[cuts].max() - 1e-12))
    # Within the gap that a cut lies in, any place gives the same answers: one half itself where it is inside.
    inside = (lower[best] < HALF) & (sorted_[best] >= HALF)
    if inside.any():
        return HALF
    return float(places[best][np.argmin(np.abs(places[best] - HALF))])
