"""Logistic regression on dense or sparse features: softmax for one label a row, one sigmoid a label for several.

The objective is scikit-learn's, ``C · Σ weightᵢ · lossᵢ + ½ ‖W‖²`` with a free intercept, and so is its minimum (it is
convex); the way there is quicker: truncated Newton in single precision, over all labels at once, each C starting
from the last one's solution. Nothing is drawn at random: equal rows give equal weights, up to the rounding of another
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.models.log_loss import Features, LogLoss
from provetune.models.newton import minimise

if TYPE_CHECKING:
    from provetune.core.protocols import Array

# Of the mean log-loss of a row, in nats. Where rows are few, being exact costs nothing.
_ROUGH, _FINE, _MANY_ROWS = 3e-2, 1e-3, 10_000


@dataclass(frozen=True)
class Linear:
    """A fitted linear layer: ``weight`` (C, D) and ``bias`` (C,), float32."""

    weight: Array
    bias: Array

    def logits(self, features: Features) -> Array:
        """Scores before normalisation, float32 (N, C)."""
        found: Array = np.asarray(features @ self.weight.T, dtype=np.float32) + self.bias
        return found

    def scaled(self, temperature: float) -> Linear:
        """The layer with its logits divided by `temperature`."""
        return Linear(self.weight / np.float32(temperature), self.bias / np.float32(temperature))


def fit_logistic(
    features: Features,
    labels: Array,
    count: int,
    *,
    strength: float,
    weights: Array | None = None,
    start: Linear | None = None,
    tolerance: float | None = None,
    most_steps: int = 100,
) -> Linear:
    """The minimiser of the regularised log-loss.

    Args:
        features: (N, D).
        labels: label numbers (N,), for one softmax; or indicators (N, C), for one sigmoid a label.
        count: C, how many labels there are.
        strength: C of the objective, the inverse of the regularisation; larger fits closer.
        weights: weight of each label (C,): of its rows, or with indicators of its positive entries.
        start: where to start from.
        tolerance: the Newton step that promises to lower the objective, a mean over the rows in nats, by no more than
            this is the last one. None: a thousandth, and of fewer than ten thousand rows in proportion less.
        most_steps: stops after so many steps in any case.

    Raises:
        ValueError: shapes or label numbers do not fit, or `strength` is not positive.
    """
    labels = np.asarray(labels)
    if labels.shape not in ((features.shape[0],), (features.shape[0], count)):
        wanted = f"({features.shape[0]},) or ({features.shape[0]}, {count})"
        raise ValueError(f"labels must be {wanted}. Got {labels.shape} instead.")
    if labels.ndim == 1 and len(labels) and not (labels.min() >= 0 and labels.max() < count):
        raise ValueError(f"labels must be from 0 to {count - 1}. Got {labels.min()} to {labels.max()} instead.")
    if not strength > 0:
        raise ValueError(f"strength must be positive. Got {strength!r} instead.")
    if weights is not None and np.shape(weights) != (count,):
        raise ValueError(f"weights must be ({count},). Got {np.shape(weights)} instead.")
    # scikit-learn gives two labels one weight vector w; two columns ±w/2 pay half its penalty, so C is halved to match.
    matched = strength / 2 if count == 2 and labels.ndim == 1 else strength
    first = np.zeros((features.shape[1] + 1, count), dtype=np.float32)
    if start is not None:
        first[:-1], first[-1] = start.weight.T, start.bias
    if tolerance is None:
        tolerance = _FINE * min(1.0, features.shape[0] / _MANY_ROWS)
    found = minimise(LogLoss(features, labels, count, weights, matched), first, tolerance, most_steps)
    return Linear(np.ascontiguousarray(found[:-1].T), found[-1].copy())


def choose_strength(
    strengths: Sequence[float],
    fit: Callable[[float, Linear | None], Linear],
    judge: Callable[[Linear], tuple[float, ...]],
    patience: int = 2,
) -> tuple[float, Linear]:
    """The strength whose fit is judged best, tried from the weakest upwards, each starting from the last fit.

    Args:
        strengths: candidates, ascending.
        fit: a strength and a starting point to a fitted layer.
        judge: larger is better; on validation rows.
        patience: stop after so many strengths in a row that are no better.
    """
    best: tuple[tuple[float, ...], float, Linear] | None = None
    layer: Linear | None = None
    worse = 0
    for strength in strengths:
        layer = fit(strength, layer)
        score = judge(layer)
        if best is None or score > best[0]:
            best, worse = (score, strength, layer), 0
        else:
            worse += 1
            if worse >= patience:
                break
    if best is None:
        raise ValueError("strengths must not be empty.")
    return best[1], best[2]


def validation_score(logits: Array, labels: Array) -> tuple[float, ...]:
    """How well logits answer, larger is better: (accuracy, minus log-loss), or of indicators minus log-loss alone.

    Among many labels a row nearly every entry is a 0, so that the share of right entries tells little. A label number
    of -1, which the training rows do not have, is never right, and has no log-loss.
    """
    logits = logits.astype(np.float64)
    if labels.ndim == 2:
        return (-float((np.logaddexp(0, logits) - labels * logits).mean()),)
    right = logits.argmax(axis=1) == labels
    known = labels >= 0
    logits, labels = logits[known], labels[known]
    top = logits.max(axis=1, keepdims=True)
    normaliser = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    losses = normaliser - logits[np.arange(len(labels)), labels]
    return float(right.mean()), -float(losses.mean()) if len(labels) else 0.0


def fit_chosen(
    features: Features,
    labels: Array,
    count: int,
    *,
    strength: float | None,
    strengths: Sequence[float],
    default: float,
    weights: Array | None = None,
    validation: tuple[Features, Array] | None = None,
    sample: tuple[Features, Array] | None = None,
) -> tuple[float, Linear]:
    """A fit with the given strength, or with the one of `strengths` that does best on the validation rows.

    Args:
        features: (N, D).
        labels: label numbers (N,) or indicators (N, C).
        count: C, how many labels there are.
        strength: C of the objective; None chooses.
        strengths: what is tried, ascending.
        default: taken where there is nothing to choose by.
        validation: features and labels.
        sample: some of the rows and their labels, to choose by; None for all. C is the variance of a prior on the
            weights, so that what is best for some rows is near enough what is best for all.

    Returns:
        The strength and the fitted layer.
    """

    def fit(rows: tuple[Features, Array], wanted: float, start: Linear | None, tolerance: float | None) -> Linear:
        return fit_logistic(*rows, count, strength=wanted, weights=weights, start=start, tolerance=tolerance)

    start: Linear | None = None
    if strength is None and validation is not None and validation[0].shape[0]:
        held_out, answers = validation
        some = (features, labels) if sample is None else sample
        strength, start = choose_strength(
            strengths,
            lambda wanted, begin: fit(some, wanted, begin, _ROUGH),
            lambda layer: validation_score(layer.logits(held_out), np.asarray(answers)),
        )
        if sample is not None:  # what fits the sample closely may be surely wrong elsewhere: a poor start
            start = None
    chosen = default if strength is None else strength
    return chosen, fit((features, labels), chosen, start, None)
