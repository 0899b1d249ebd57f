"""Logistic regression on dense or sparse features: softmax for one label a row, one sigmoid a label for several.

The objective is scikit-learn's, ``C · Σ weightᵢ · lossᵢ + ½ ‖W‖²`` with a free intercept, and so is its minimum (it is
convex); the way there is quicker: L-BFGS whose first guess of the curvature comes from the features' own second
moments (Böhning 1992 bounds the softmax Hessian by them), in single precision, over all labels at once, each C
starting from the last one's solution. Nothing is drawn at random: equal rows give equal weights, up
to the rounding of another number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from provetune.models.lbfgs import minimise

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Features: TypeAlias = Any
"""A float32 array (N, D) or a scipy CSR matrix of that shape."""

_ROUGH, _FINE = 1e-2, 1e-4
_DENSE_LIMIT = 2048


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
    indicators: Array,
    *,
    strength: float,
    several: bool,
    weights: Array | None = None,
    start: Linear | None = None,
    tolerance: float = 1e-4,
    most_steps: int = 200,
) -> Linear:
    """The minimiser of the regularised log-loss.

    Args:
        features: (N, D).
        indicators: 1 where a row has a label, else 0: (N, C). Rows sum to 1 unless `several`.
        strength: C, the inverse of the regularisation; larger fits closer.
        several: a sigmoid a label instead of one softmax.
        weights: weight of each label (C,): of its rows, or with `several` of its positive entries.
        start: where to start from.
        tolerance: stops when a step promises to lower the objective by less than this share of it.
        most_steps: stops after so many steps in any case.

    Raises:
        ValueError: shapes do not fit or `strength` is not positive.
    """
    indicators = np.asarray(indicators, dtype=np.float32)
    if indicators.ndim != 2 or len(indicators) != features.shape[0]:
        raise ValueError(f"indicators must be ({features.shape[0]}, C). Got {indicators.shape} instead.")
    if not strength > 0:
        raise ValueError(f"strength must be positive. Got {strength!r} instead.")
    count, width = indicators.shape[1], features.shape[1]
    importance = _importance(indicators, weights, several)
    # scikit-learn gives two labels one weight vector w; two columns ±w/2 pay half its penalty, so C is halved to match.
    matched = strength / 2 if count == 2 and not several else strength
    loss = _Loss(features, indicators, importance, matched, several)
    first = np.zeros((width + 1, count), dtype=np.float32)
    if start is not None:
        first[:-1], first[-1] = start.weight.T, start.bias
    found = minimise(loss, first, loss.preconditioner(), tolerance, most_steps)
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


def to_indicators(labels: Array, count: int) -> Array:
    """Label numbers (N,) or indicators (N, C) → float32 indicators (N, C)."""
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return labels.astype(np.float32)
    found = np.zeros((len(labels), count), dtype=np.float32)
    found[np.arange(len(labels)), labels] = 1
    return found


def validation_score(logits: Array, indicators: Array, *, several: bool) -> tuple[float, ...]:
    """How well logits answer, larger is better: (accuracy, minus log-loss), or with `several` minus log-loss alone.

    Among many labels a row nearly every entry is a 0, so that the share of right entries tells little.
    """
    logits = logits.astype(np.float64)
    if several:
        return (-float((np.logaddexp(0, logits) - indicators * logits).mean()),)
    right = logits.argmax(axis=1) == indicators.argmax(axis=1)
    top = logits.max(axis=1, keepdims=True)
    normaliser = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return float(right.mean()), -float((normaliser - (indicators * logits).sum(axis=1)).mean())


def fit_chosen(
    features: Features,
    indicators: Array,
    *,
    strength: float | None,
    several: bool,
    strengths: Sequence[float],
    default: float,
    weights: Array | None = None,
    validation: tuple[Features, Array] | None = None,
) -> tuple[float, Linear]:
    """A fit with the given strength, or with the one of `strengths` that does best on the validation rows.

    Args:
        strength: C; None chooses.
        strengths: what is tried, ascending.
        default: taken where there is nothing to choose by.
        validation: features and indicators.

    Returns:
        The strength and the fitted layer.
    """

    def fit(wanted: float, start: Linear | None, tolerance: float) -> Linear:
        return fit_logistic(
            features,
            indicators,
            strength=wanted,
            several=several,
            weights=weights,
            start=start,
            tolerance=tolerance,
        )

    start: Linear | None = None
    if strength is None and validation is not None and validation[0].shape[0]:
        held_out, answers = validation
        strength, start = choose_strength(
            strengths,
            lambda wanted, begin: fit(wanted, begin, _ROUGH),
            lambda layer: validation_score(layer.logits(held_out), answers, several=several),
        )
    chosen = default if strength is None else strength
    return chosen, fit(chosen, start, _FINE)


class _Loss:
    """Mean weighted log-loss plus penalty, over parameters (D + 1, C) whose last row is the intercept."""

    def __init__(
        self, features: Features, indicators: Array, importance: Array, strength: float, several: bool
    ) -> None:
        self.features = features
        self.transposed = features.T if isinstance(features, np.ndarray) else features.T.tocsr()
        self.indicators = indicators
        self.importance = importance
        self.several = several
        self.total = float(importance.sum() / (importance.shape[1] if several else 1))
        self.penalty = 1.0 / (strength * self.total)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """The loss, float64, and its gradient (D + 1, C), float32."""
        weight = parameters[:-1]
        logits = np.asarray(self.features @ weight) + parameters[-1]
        losses, residuals = self._sigmoid(logits) if self.several else self._softmax(logits)
        residuals *= self.importance / np.float32(self.total)
        gradient = np.empty_like(parameters)
        gradient[:-1] = self.transposed @ residuals
        gradient[:-1] += np.float32(self.penalty) * weight
        gradient[-1] = residuals.sum(axis=0)
        value = losses / self.total + 0.5 * self.penalty * float(np.vdot(weight, weight))
        return value, gradient

    def _softmax(self, logits: Array) -> tuple[float, Array]:
        logits -= logits.max(axis=1, keepdims=True)
        at_label = (logits * self.indicators).sum(axis=1, dtype=np.float64)
        np.exp(logits, out=logits)
        normaliser = logits.sum(axis=1, keepdims=True)
        losses = (np.log(normaliser[:, 0], dtype=np.float64) - at_label) * self.importance[:, 0]
        logits /= normaliser
        logits -= self.indicators
        return float(losses.sum()), logits

    def _sigmoid(self, logits: Array) -> tuple[float, Array]:
        losses = (np.logaddexp(0, logits) - self.indicators * logits) * self.importance
        residuals = 0.5 * (1 + np.tanh(0.5 * logits)) - self.indicators
        return float(losses.sum(dtype=np.float64)), residuals

    def preconditioner(self) -> Callable[[Array], Array]:
        """The inverse of the curvature's bound, applied to a gradient (D + 1, C)."""
        share = 0.25 if self.several else 1.0 / self.indicators.shape[1]
        rows = self.features.shape[0]
        width = self.features.shape[1]
        penalty = np.full(width + 1, self.penalty)
        penalty[-1] = 1e-6
        if isinstance(self.features, np.ndarray) and width <= _DENSE_LIMIT:
            extended = np.hstack([self.features, np.ones((rows, 1), dtype=np.float32)])
            moments = (extended.T @ extended).astype(np.float64) * (share / rows)
            inverse = np.linalg.inv(moments + np.diag(penalty)).astype(np.float32)
            return lambda gradient: inverse @ gradient
        squares = self.features**2 if isinstance(self.features, np.ndarray) else self.features.multiply(self.features)
        moments = np.append(np.asarray(squares.sum(axis=0)).ravel(), rows) * (share / rows)
        scale = (1.0 / (moments + penalty)).astype(np.float32)[:, None]
        return lambda gradient: scale * gradient


def _importance(indicators: Array, weights: Array | None, several: bool) -> Array:
    """Weight of every row (N, 1), or of every entry (N, C) with `several`."""
    if weights is None:
        return np.ones((len(indicators), indicators.shape[1] if several else 1), dtype=np.float32)
    given = np.asarray(weights, dtype=np.float32)
    if given.shape != (indicators.shape[1],):
        raise ValueError(f"weights must be ({indicators.shape[1]},). Got {given.shape} instead.")
    if several:
        entries: Array = np.where(indicators > 0, given, np.float32(1))
        return entries
    rows: Array = indicators @ given[:, None]
    return rows
