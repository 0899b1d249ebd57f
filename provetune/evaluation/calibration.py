"""Making said probabilities true: one temperature, fitted on validation rows, and how true they are.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599) divides all logits by one number. It changes neither
the order of labels nor, with a threshold of one half, which labels are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.probability_scores import (
    BINS,
    Reliability,
    calibration_error,
    judgements,
    reliability,
    row_log_losses,
)
from provetune.statistics.rows import JudgedRows

if TYPE_CHECKING:
    from provetune.core.protocols import Array

LOWEST, HIGHEST = 0.05, 20.0

__all__ = ["calibration_error", "fit_temperature", "reliability_bins", "sigmoid", "softmax"]


def softmax(logits: Array) -> Array:
    """Probabilities that sum to one over the last axis, float64, safe for large logits."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(logits: Array) -> Array:
    """Each logit's own probability, float64, safe for large logits."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))))


def fit_temperature(logits: Array, labels: Array, to_probabilities: Callable[[Array], Array] | None = None) -> float:
    """The temperature that makes the mean log-loss least.

    It lies between 0.05 and 20: where every row is right, or none, the best one would be 0 or infinite.

    Args:
        logits: (F, C).
        labels: label numbers (N,), or indicators (N, C); rows whose label the model does not know (a number
            of C or more, or negative) are left out.
        to_probabilities: logits (F, C) → probabilities (N, C); softmax or sigmoid when left out.

    Returns:
        The temperature; 1.0 when no row can be used.
    """
    from scipy.optimize import minimize_scalar

    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if logits.ndim != 2:
        raise UsageError(f"logits must be (rows, labels). Got shape {logits.shape} instead.")
    several = labels.ndim == 2
    transform = to_probabilities or (sigmoid if several else softmax)
    usable = np.ones(len(labels), dtype=bool) if several else (labels >= 0) & (labels < logits.shape[1])
    if not usable.any():
        return 1.0

    def loss(log_temperature: float) -> float:
        probabilities = transform(logits / np.exp(log_temperature))
        return float(row_log_losses(labels[usable], probabilities[usable]).mean())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def reliability_bins(rows: JudgedRows, bins: int = BINS) -> list[dict[str, Any]]:
    """The reliability diagram's bins that have rows: ``{"from", "to", "rows", "confidence", "accuracy"}``."""
    if rows.probabilities is None or len(rows) == 0:
        return []
    table: Reliability = reliability(*judgements(rows.labels, rows.probabilities), bins)
    return [
        {
            "from": k / bins,
            "to": (k + 1) / bins,
            "rows": int(table.rows[k]),
            "confidence": float(table.confidence[k]),
            "accuracy": float(table.accuracy[k]),
        }
        for k in range(bins)
        if table.rows[k] > 0
    ]
