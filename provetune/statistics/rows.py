"""How sure a score of *these weights* is: one-sided bounds from the test rows alone.

This answers `accept`, not claims between candidates: seeds are not in it. Means over rows take their own
standard error. Scores of label counts are linearised: row i counts as

    Y_i = θ + n · (∂θ/∂hits · hit_i + ∂θ/∂predicted · predicted_i + ∂θ/∂gold · gold_i)

whose mean is θ itself (the infinitesimal jackknife, Efron 1982); for macro-F1 that is
θ + (n/C)[2·hit/D_y − F_y/D_y − F_ŷ/D_ŷ]. Leave-one-out pseudovalues agree to order 1/n where labels have
many rows, and explode where a label has one; hence this form. Calibration error is resampled. Bounds are
normal, since rows are many; with groups, the groups' sums are the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.statistics.class_metrics import CLASS_METRICS, class_metric
from provetune.statistics.label_counts import count_indicators, count_labels, counted_metrics, sensitivity
from provetune.statistics.probability_scores import bin_numbers, judgements, reliability, row_log_losses

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.statistics.measured_rows import RowMetric

RESAMPLES = 2000
RESAMPLING_SEED = 20_170_604
FEW_ROWS = 20
_MEANS = ("accuracy", "log_loss", "in_scope_accuracy", "out_of_scope_recall")


@dataclass(frozen=True)
class JudgedRows:
    """Outcomes as numbers; N rows, C labels.

    Attributes:
        labels: label numbers (N,), or indicators (N, C) for several labels a row. A number of C or more is a
            label that the model does not know.
        predictions: same form.
        probabilities: (N, C), needed by ``log_loss`` and ``ece`` alone.
        names: of the labels (C or more).
        out_of_scope: number of the label that means "none of these".
        groups: number of each row's group (N,); rows of one group are not independent of each other.
        answered: which rows the model answers, bool (N,); None where it may not abstain.
        ordered: whether the numbers of labels are places in an order.
        own: metrics that the task computes otherwise than scikit-learn, or that only it has, by name.
    """

    labels: Array
    predictions: Array
    probabilities: Array | None
    names: tuple[str, ...]
    out_of_scope: int | None = None
    groups: Array | None = None
    answered: Array | None = None
    ordered: bool = False
    own: Mapping[str, RowMetric] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class RowsBound:
    """A score with its one-sided bounds, each at the confidence by itself.

    Attributes:
        metric: its name.
        value: the score itself.
        standard_error: of the value, by rows (or blocks).
        lower: "at least this", at the confidence asked for.
        upper: "at most this", at the same confidence.
        units: independent things it rests on: rows, groups or blocks.
        notes: what to know before trusting it.
    """

    metric: str
    value: float
    standard_error: float
    lower: float
    upper: float
    units: int
    notes: tuple[str, ...] = ()


def bound_for(metric: str, rows: JudgedRows, confidence: float, *, label: str | None = None) -> RowsBound:
    """Value and one-sided bounds of a metric over judged rows.

    Args:
        metric: ``accuracy``, ``log_loss``, ``ece``, ``macro_f1``, …; ``precision``, ``recall`` and ``f1`` need
            `label`.
        confidence: one-sided, between 0.5 and 1.

    Raises:
        UsageError: an unknown metric or label, or a metric that these rows cannot have.
    """
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence must be between 0.5 and 1. Got {confidence} instead.")
    if len(rows) == 0:
        raise UsageError(f"'{metric}' cannot be judged on no rows.", hint="Check the slice and the test file.")
    number = _label_number(rows, metric, label)
    if metric == "ece":
        return _bound_calibration(rows, confidence)
    value, contributions, used = row_contributions(metric, rows, number)
    groups = None if rows.groups is None else rows.groups[used]
    error, units = standard_error(contributions, groups)
    notes = _warnings(metric, rows, number)
    if groups is not None and len(used) >= FEW_ROWS:
        notes = (*few_units(len(used), units), *notes)
    return _normal_bound(metric, value, error, units, confidence, notes)


def row_contributions(metric: str, rows: JudgedRows, label: int | None = None) -> tuple[float, Array, Array]:
    """The score, what each row contributes to it (their mean is the score), and which rows it is about.

    Returns:
        value; contributions (M,); numbers of the M rows concerned, ascending.
    """
    if metric in rows.own:
        return rows.own[metric].value(), rows.own[metric].contributions(), np.arange(len(rows))
    if metric in _MEANS:
        used = _rows_concerned(metric, rows)
        if metric == "log_loss":
            values = row_log_losses(rows.labels, _probabilities(rows, metric))
        else:
            values = _right(rows).astype(np.float64)
        values = values[used]
        return float(values.mean()), values, used
    if metric in CLASS_METRICS:
        return _of_class_metric(metric, rows, label)
    return _linearised(metric, rows, label)


def standard_error(contributions: Array, groups: Array | None = None) -> tuple[float, int]:
    """Standard error of the contributions' mean, and the number of independent units.

    With groups, the deviations are summed within each (the mean is a ratio of sums over groups).
    """
    count = len(contributions)
    deviations = contributions - contributions.mean()
    if groups is not None:
        _, numbers = np.unique(groups, return_inverse=True)
        deviations = np.bincount(numbers, deviations)
    units = len(deviations)
    if units < 2:
        return float("inf"), units
    variance = (deviations**2).sum() * units / (units - 1) / count**2
    return float(np.sqrt(variance)), units


def _of_class_metric(metric: str, rows: JudgedRows, label: int | None) -> tuple[float, Array, Array]:
    found = class_metric(metric, rows, label)
    value = found.value()
    if np.isnan(value):
        raise UsageError(f"No row here is what '{metric}' is about.")
    return value, found.contributions(), np.arange(len(rows))


def _linearised(metric: str, rows: JudgedRows, label: int | None) -> tuple[float, Array, Array]:
    count = len(rows)
    if rows.labels.ndim == 2:
        gold, said = rows.labels.astype(np.float64), rows.predictions.astype(np.float64)
        slopes = sensitivity(count_indicators(rows.labels, rows.predictions), metric, label)
        moved = (gold * said) @ slopes.by_hits + said @ slopes.by_predicted + gold @ slopes.by_gold
    else:
        slopes = sensitivity(count_labels(rows.labels, rows.predictions, len(rows.names)), metric, label)
        moved = slopes.by_predicted[rows.predictions] + slopes.by_gold[rows.labels]
        moved = moved + np.where(_right(rows), slopes.by_hits[rows.labels], 0.0)
    return slopes.value, slopes.value + count * moved, np.arange(count)


def _bound_calibration(rows: JudgedRows, confidence: float) -> RowsBound:
    """Resampled rows (or groups), with a fixed seed so that the same outcomes give the same answer."""
    confidences, right = judgements(rows.labels, _probabilities(rows, "ece"))
    value = reliability(confidences, right).error
    count = len(rows)
    numbers = np.arange(count) if rows.groups is None else np.unique(rows.groups, return_inverse=True)[1]
    units = int(numbers.max()) + 1
    bins = bin_numbers(confidences).reshape(count, -1)
    gaps = (confidences - right).reshape(count, -1)
    sums = np.zeros((units, int(bins.max()) + 1))
    np.add.at(sums, (np.repeat(numbers, bins.shape[1]), bins.ravel()), gaps.ravel())
    sizes = np.bincount(numbers, minlength=units) * float(bins.shape[1])
    random = np.random.default_rng(RESAMPLING_SEED)
    errors = np.empty(RESAMPLES)
    for k in range(RESAMPLES):
        drawn = np.bincount(random.integers(0, units, units), minlength=units)
        errors[k] = np.abs(drawn @ sums).sum() / (drawn @ sizes)
    error = float(errors.std(ddof=1)) if units > 1 else float("inf")
    notes = ("calibration error is biased upwards where rows are few", *_few(rows, None))
    return _normal_bound("ece", value, error, units, confidence, notes)


def _normal_bound(
    metric: str, value: float, error: float, units: int, confidence: float, notes: tuple[str, ...]
) -> RowsBound:
    from statistics import NormalDist

    reach = NormalDist().inv_cdf(confidence) * error
    return RowsBound(metric, value, error, value - reach, value + reach, units, notes)


def _right(rows: JudgedRows) -> Array:
    same: Array = np.asarray(rows.labels == rows.predictions)
    return np.asarray(same.all(axis=1)) if same.ndim == 2 else same


def _rows_concerned(metric: str, rows: JudgedRows) -> Array:
    if metric not in ("in_scope_accuracy", "out_of_scope_recall"):
        return np.arange(len(rows))
    if rows.out_of_scope is None or rows.labels.ndim == 2:
        raise UsageError(f"'{metric}' needs a label marked data.out_of_scope.")
    outside = rows.labels == rows.out_of_scope
    used = np.flatnonzero(outside if metric == "out_of_scope_recall" else ~outside)
    if len(used) == 0:
        raise UsageError(f"No row here is what '{metric}' is about.")
    return used


def _probabilities(rows: JudgedRows, metric: str) -> Array:
    if rows.probabilities is None:
        raise UsageError(f"'{metric}' needs probabilities, and these outcomes have none.")
    return rows.probabilities


def _label_number(rows: JudgedRows, metric: str, label: str | None) -> int | None:
    known = [*_MEANS, "ece", *CLASS_METRICS, *counted_metrics(), *rows.own]
    if metric not in known:
        raise UsageError(f"There is no metric '{metric}' of rows.", hint=advice(metric, known))
    needs_label = metric in ("precision", "recall", "f1")
    if label is None:
        if needs_label:
            raise UsageError(f"'{metric}' needs a label.", hint=f"Write [{metric}:LABEL], or take macro_{metric}.")
        return None
    if not needs_label and metric != "auc":
        raise UsageError(f"'{metric}' has no value per label.", hint="precision, recall, f1 and auc have.")
    if label not in rows.names:
        raise UsageError(f"There is no label '{label}'.", hint=advice(label, rows.names))
    return rows.names.index(label)


def few_units(rows: int, units: int) -> tuple[str, ...]:
    """A warning where a normal bound rests on too little.

    Args:
        rows: those that the metric is about.
        units: what is independent among them: the rows themselves, or their groups.
    """
    if rows < FEW_ROWS:
        return (f"only {rows} {'row' if rows == 1 else 'rows'}: the bound is rough",)
    if units < FEW_ROWS:
        return (f"only {units} {'group' if units == 1 else 'groups'} of rows: the bound is rough",)
    return ()


def _warnings(metric: str, rows: JudgedRows, label: int | None) -> tuple[str, ...]:
    if metric in ("accuracy", "log_loss", *rows.own) or (metric in CLASS_METRICS and label is None):
        return few_units(len(rows), len(rows))
    if metric in _MEANS:
        used = len(_rows_concerned(metric, rows))
        return few_units(used, used)
    return _few(rows, label)


def _few(rows: JudgedRows, label: int | None) -> tuple[str, ...]:
    """A warning where labels have too few rows for a normal bound."""
    gold = rows.labels.sum(axis=0) if rows.labels.ndim == 2 else np.bincount(rows.labels, minlength=len(rows.names))
    numbers = range(len(rows.names)) if label is None else [label]
    few = [f"{rows.names[k]} ({int(gold[k])})" for k in numbers if gold[k] < FEW_ROWS]
    if not few:
        return ()
    listed = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
    return (f"fewer than {FEW_ROWS} rows of {listed}: the bound is rough",)
