"""Scores of probabilities: the log-loss of each row and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

BINS = 15
SMALLEST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Reliability:
    """How sure and how right the model was, by bins of equal width; each (bins,).

    Attributes:
        rows: judgements in the bin.
        confidence: their mean confidence, 0 in an empty bin.
        accuracy: share of them that was right, 0 in an empty bin.
    """

    rows: Array
    confidence: Array
    accuracy: Array

    @property
    def error(self) -> float:
        """Expected calibration error: gaps between confidence and accuracy, weighted by rows."""
        total = self.rows.sum()
        return float((np.abs(self.confidence - self.accuracy) * self.rows).sum() / total) if total else 0.0


def row_log_losses(labels: Array, probabilities: Array) -> Array:
    """Negative log-probability of each row's label (N,).

    Probabilities are clipped at the machine precision of float32, the format in which outcomes are kept; that
    is what scikit-learn does with such input. A label outside 0 to C - 1 counts as probability 0.
    With several labels a row (indicators (N, C)) it is the mean binary cross-entropy over the labels.
    """
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST, 1 - SMALLEST)
    if labels.ndim == 2:
        gold = np.asarray(labels, dtype=bool)
        losses: Array = -np.where(gold, np.log(clipped), np.log1p(-clipped)).mean(axis=1)
        return losses
    known = (labels >= 0) & (labels < clipped.shape[1])
    losses = np.full(len(labels), -np.log(SMALLEST))
    losses[known] = -np.log(clipped[known, labels[known]])
    return losses


def judgements(labels: Array, probabilities: Array) -> tuple[Array, Array]:
    """Confidence and rightness of what was said.

    One label a row: the largest probability and whether that label is right, (N,) each. Several: every
    label's probability and whether the row has it, (N, C) each.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if labels.ndim == 2:
        return probabilities, np.asarray(labels, dtype=np.float64)
    best = probabilities.argmax(axis=1)
    return probabilities[np.arange(len(best)), best], (best == labels).astype(np.float64)


def bin_numbers(confidence: Array, bins: int = BINS) -> Array:
    """Number of the bin each confidence falls in: (0, 1/bins] is 0; 0 itself belongs to it too."""
    numbers: Array = np.clip(np.ceil(np.asarray(confidence) * bins).astype(np.int64) - 1, 0, bins - 1)
    return numbers


def reliability(confidence: Array, right: Array, bins: int = BINS, weights: Array | None = None) -> Reliability:
    """Bins of equal width (Naeini et al. 2015; as used by Guo et al. 2017, arXiv:1706.04599).

    Args:
        confidence: said probabilities, any shape.
        right: 1 where what was said holds, same shape.
        weights: how often each counts, same shape; once when left out.
    """
    numbers = bin_numbers(confidence, bins).ravel()
    weight = np.ones(numbers.size) if weights is None else np.asarray(weights, dtype=np.float64).ravel()
    rows = np.bincount(numbers, weight, minlength=bins)
    filled = np.maximum(rows, SMALLEST)
    sure = np.bincount(numbers, weight * np.ravel(confidence), minlength=bins) / filled
    true = np.bincount(numbers, weight * np.ravel(right), minlength=bins) / filled
    return Reliability(rows, sure, true)


def calibration_error(labels: Array, probabilities: Array, bins: int = BINS) -> float:
    """Expected calibration error of probabilities (N, C). Biased upwards where rows are few."""
    return reliability(*judgements(labels, probabilities), bins).error
