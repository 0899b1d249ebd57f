"""Metrics of rows whose labels are classes that are no counts of labels: abstention, ranking, order.

Where a model may abstain, it answers some of the rows. How good its confidence is, risk over coverage tells without any
threshold. Confidence is the largest probability among the labels that say something: one that means "none of these" is
no answer, and a row for which it is the most probable label comes after all others. With several labels a row it is
the probability that all of them are right, were they independent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.measured_rows import MeanOf, OfSums, RowMetric
from provetune.statistics.probability_scores import SMALLEST
from provetune.statistics.rank_metrics import AucOf, RiskCoverageOf, SpearmanOf

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.statistics.rows import JudgedRows

_Make: TypeAlias = Callable[["JudgedRows", int | None], RowMetric]


def class_metric(name: str, rows: JudgedRows, label: int | None = None) -> RowMetric:
    """One of `CLASS_METRICS` over judged rows.

    Raises:
        UsageError: these rows cannot have it.
    """
    return CLASS_METRICS[name](rows, label)


def sureness(rows: JudgedRows) -> tuple[Array, Array]:
    """How sure the model is of each row, (N,), and whether what it would answer is wrong, bool (N,).

    Raises:
        UsageError: the rows have no probabilities.
    """
    if rows.probabilities is None:
        raise UsageError("Confidence needs probabilities, and these outcomes have none.")
    probabilities = np.asarray(rows.probabilities, dtype=np.float64)
    if rows.labels.ndim == 2:
        given = np.asarray(rows.predictions, dtype=bool)[:, : probabilities.shape[1]]
        wrong = (np.asarray(rows.labels, dtype=bool) != np.asarray(rows.predictions, dtype=bool)).any(axis=1)
        return set_confidence(probabilities, given), wrong
    confidence, best = label_confidence(probabilities, rows.out_of_scope)
    return confidence, np.asarray(best != rows.labels)


def label_confidence(probabilities: Array, out_of_scope: int | None = None) -> tuple[Array, Array]:
    """The largest probability of each row and its label's number, (N,) each; a label "none of these" does not count.

    Where that one is the largest, one is taken off the confidence: such a row is below any threshold.
    """
    kept = np.array(probabilities, dtype=np.float64)
    outside = np.zeros(len(kept), dtype=bool)
    if out_of_scope is not None:
        outside = kept.argmax(axis=1) == out_of_scope
        kept[:, out_of_scope] = -1.0
    best = kept.argmax(axis=1)
    return kept[np.arange(len(kept)), best] - outside, best


def set_confidence(probabilities: Array, given: Array) -> Array:
    """The probability that every one of several labels is given or kept back rightly, were they independent, (N,)."""
    right = np.where(given, probabilities, 1 - probabilities)
    return np.asarray(np.exp(np.log(np.maximum(right, SMALLEST)).sum(axis=1)))


def _coverage(rows: JudgedRows, label: int | None) -> RowMetric:
    return MeanOf(_answered(rows, "coverage").astype(np.float64))


def _selective_accuracy(rows: JudgedRows, label: int | None) -> RowMetric:
    same: Array = np.asarray(rows.labels == rows.predictions)
    right = same.all(axis=1) if same.ndim == 2 else same
    return MeanOf(np.where(_answered(rows, "selective_accuracy"), right, np.nan))


def _risk_coverage(rows: JudgedRows, label: int | None) -> RowMetric:
    confidence, wrong = sureness(rows)
    return RiskCoverageOf(confidence, wrong.astype(np.float64))


def _auc(rows: JudgedRows, label: int | None) -> RowMetric:
    if rows.probabilities is None:
        raise UsageError("'auc' needs probabilities, and these outcomes have none.")
    if label is None:
        if len(rows.names) != 2 or rows.labels.ndim == 2:
            raise UsageError("'auc' needs a label.", hint="Write [auc:LABEL].")
        label = 1
    if label >= rows.probabilities.shape[1]:
        raise UsageError(f"The model does not know the label '{rows.names[label]}'.")
    has = rows.labels[:, label] if rows.labels.ndim == 2 else rows.labels == label
    return AucOf(np.asarray(rows.probabilities[:, label], dtype=np.float64), np.asarray(has, dtype=bool))


def _quadratic_kappa(rows: JudgedRows, label: int | None) -> RowMetric:
    gold, said = _steps(rows, "quadratic_kappa")
    return quadratic_kappa(gold, said, len(rows.names))


def _mean_steps(rows: JudgedRows, label: int | None) -> RowMetric:
    gold, said = _steps(rows, "mae")
    return MeanOf(np.abs(gold - said), high=float(max(1, len(rows.names) - 1)))


def _within_one(rows: JudgedRows, label: int | None) -> RowMetric:
    gold, said = _steps(rows, "within_one")
    return MeanOf((np.abs(gold - said) <= 1).astype(np.float64))


def _spearman(rows: JudgedRows, label: int | None) -> RowMetric:
    return SpearmanOf(*_steps(rows, "spearman"))


def quadratic_kappa(gold: Array, said: Array, classes: int) -> OfSums:
    """Cohen's kappa with quadratic weights (Cohen 1968): agreement of ordered labels beyond chance.

    What chance would give needs no table of pairs: the mean squared distance of independent draws is
    E[g²] + E[s²] − 2·E[g]·E[s]. Where all labels and answers are one and the same it is 1.

    Args:
        gold, said: places in the order, from 0, (N,) each.
        classes: how many places there are.
    """
    size = float(max(1, classes - 1))
    first, second = ((np.asarray(values, dtype=np.float64) - size / 2) / size for values in (gold, said))
    apart = (first - second) ** 2
    return OfSums(
        np.stack([np.ones(len(first)), apart, first, second, first**2, second**2], axis=1), _kappa, low=-1.0, high=1.0
    )


def _kappa(sums: Array) -> Array:
    count, apart, first, second, first_squared, second_squared = np.moveaxis(sums, -1, 0)
    by_chance = first_squared + second_squared - 2 * first * second / np.where(count > 0, count, 1.0)
    share = np.divide(apart, by_chance, out=np.zeros_like(apart), where=by_chance > 1e-12 * np.maximum(count, 1))
    return np.asarray(1 - share)


def _answered(rows: JudgedRows, metric: str) -> Array:
    if rows.answered is None:
        raise UsageError(f"'{metric}' needs a model that may abstain.", hint="Set options.abstain in the problem file.")
    return np.asarray(rows.answered, dtype=bool)


def _steps(rows: JudgedRows, metric: str) -> tuple[Array, Array]:
    if not rows.ordered:
        raise UsageError(f"'{metric}' needs labels that have an order.", hint="Take task: ordinal.")
    return rows.labels.astype(np.float64), rows.predictions.astype(np.float64)


CLASS_METRICS: dict[str, _Make] = {
    "coverage": _coverage,
    "selective_accuracy": _selective_accuracy,
    "aurc": _risk_coverage,
    "auc": _auc,
    "quadratic_kappa": _quadratic_kappa,
    "mae": _mean_steps,
    "within_one": _within_one,
    "spearman": _spearman,
}
