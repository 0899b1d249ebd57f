"""Hits, predicted and gold rows of each label, and the scores that are functions of these sums.

Every score comes with its gradient by the counts, which is what `provetune.statistics.rows` makes intervals
of. The values equal scikit-learn's with its default labels: those that occur in gold or predicted rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    from provetune.core.protocols import Array

PARTS = ("precision", "recall", "f1")
AVERAGES = ("macro", "micro", "weighted")


@dataclass(frozen=True)
class LabelCounts:
    """Sums over rows, one number a label, each float64 (C,).

    Attributes:
        hits: rows that have the label and were given it.
        predicted: rows that were given it.
        gold: rows that have it.
    """

    hits: Array
    predicted: Array
    gold: Array

    @property
    def occurring(self) -> Array:
        """Labels with at least one gold or predicted row, bool (C,)."""
        found: Array = (self.predicted + self.gold) > 0
        return found

    def pooled(self) -> LabelCounts:
        """All labels added up into one."""
        return LabelCounts(*(np.array([part.sum()]) for part in (self.hits, self.predicted, self.gold)))


@dataclass(frozen=True)
class Sensitivity:
    """A score and how it moves with each count: its value and its gradient, (C,) each."""

    value: float
    by_hits: Array
    by_predicted: Array
    by_gold: Array


def count_labels(labels: Array, predictions: Array, classes: int) -> LabelCounts:
    """Counts of one label a row: label numbers (N,) each, 0 to `classes` - 1."""
    gold = np.bincount(labels, minlength=classes).astype(np.float64)
    predicted = np.bincount(predictions, minlength=classes).astype(np.float64)
    hits = np.bincount(labels[labels == predictions], minlength=classes).astype(np.float64)
    return LabelCounts(hits, predicted, gold)


def count_indicators(labels: Array, predictions: Array) -> LabelCounts:
    """Counts of several labels a row: indicators (N, C) each."""
    gold, predicted = np.asarray(labels, dtype=bool), np.asarray(predictions, dtype=bool)
    sums = ((gold & predicted).sum(axis=0), predicted.sum(axis=0), gold.sum(axis=0))
    return LabelCounts(*(part.astype(np.float64) for part in sums))


def label_scores(counts: LabelCounts) -> dict[str, Array]:
    """Precision, recall and F1 of each label, (C,); 0 where there is nothing to divide by."""
    return {
        "precision": _ratio(counts.hits, counts.predicted),
        "recall": _ratio(counts.hits, counts.gold),
        "f1": _ratio(2 * counts.hits, counts.predicted + counts.gold),
    }


def averaged(counts: LabelCounts, average: str, part: str) -> float:
    """Macro, micro or weighted average of precision, recall or F1; 0 when no label occurs."""
    if average == "micro":
        return float(label_scores(counts.pooled())[part][0])
    scores = label_scores(counts)[part]
    if average == "macro":
        return float(scores[counts.occurring].mean()) if counts.occurring.any() else 0.0
    total = counts.gold.sum()
    return float((scores * counts.gold).sum() / total) if total else 0.0


def sensitivity(counts: LabelCounts, metric: str, label: int | None = None) -> Sensitivity:
    """Value and gradient of ``precision``, ``recall`` or ``f1`` of one label, or of an average of all.

    Args:
        metric: ``"f1"`` with a `label`, or an averaged name such as ``"macro_f1"`` without.

    Raises:
        UsageError: the metric is none of these, or lacks its label.
    """
    average, _, part = metric.rpartition("_")
    if part not in PARTS or average not in ("", *AVERAGES):
        raise UsageError(f"'{metric}' is no score of label counts.", hint=advice(metric, counted_metrics()))
    if average == "":
        if label is None:
            raise UsageError(f"'{metric}' needs a label.", hint=f"Write [{metric}:LABEL], or take macro_{metric}.")
        return _of_label(counts, part, label)
    return _AVERAGES[average](counts, part)


def counted_metrics() -> list[str]:
    """Names of every score of label counts."""
    return [*PARTS, *(f"{average}_{part}" for average in AVERAGES for part in PARTS)]


def _gradients(counts: LabelCounts, part: str) -> tuple[Array, Array, Array, Array]:
    """Score of each label and its derivatives by hits, predicted and gold rows, (C,) each."""
    score = label_scores(counts)[part]
    none = np.zeros_like(score)
    if part == "precision":
        return score, _ratio(1.0, counts.predicted), -_ratio(score, counts.predicted), none
    if part == "recall":
        return score, _ratio(1.0, counts.gold), none, -_ratio(score, counts.gold)
    both = counts.predicted + counts.gold
    return score, _ratio(2.0, both), -_ratio(score, both), -_ratio(score, both)


def _of_label(counts: LabelCounts, part: str, label: int) -> Sensitivity:
    score, *slopes = _gradients(counts, part)
    only = np.zeros_like(score)
    only[label] = 1.0
    return Sensitivity(float(score[label]), *(slope * only for slope in slopes))


def _macro(counts: LabelCounts, part: str) -> Sensitivity:
    _, *slopes = _gradients(counts, part)
    share = counts.occurring / max(1, int(counts.occurring.sum()))
    return Sensitivity(averaged(counts, "macro", part), *(slope * share for slope in slopes))


def _micro(counts: LabelCounts, part: str) -> Sensitivity:
    score, *slopes = _gradients(counts.pooled(), part)
    return Sensitivity(float(score[0]), *(np.full_like(counts.gold, slope[0]) for slope in slopes))


def _weighted(counts: LabelCounts, part: str) -> Sensitivity:
    score, by_hits, by_predicted, by_gold = _gradients(counts, part)
    total = counts.gold.sum()
    value = averaged(counts, "weighted", part)
    share = _ratio(counts.gold, np.full_like(counts.gold, total))
    of_weights = (score - value) / total if total else np.zeros_like(score)
    return Sensitivity(value, by_hits * share, by_predicted * share, by_gold * share + of_weights)


_Average: TypeAlias = Callable[[LabelCounts, str], Sensitivity]
_AVERAGES: dict[str, _Average] = {"macro": _macro, "micro": _micro, "weighted": _weighted}


def _ratio(over: Any, under: Array) -> Array:
    over = np.broadcast_to(np.asarray(over, dtype=np.float64), under.shape)
    found: Array = np.divide(over, under, out=np.zeros(under.shape, dtype=np.float64), where=under > 0)
    return found
