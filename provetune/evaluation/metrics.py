"""Every score of a classifier over judged rows, equal to scikit-learn's and quick for many labels.

Rows arrive as numbers (`provetune.statistics.rows.JudgedRows`), so nothing here loops over rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.class_metrics import class_metric
from provetune.statistics.label_counts import (
    AVERAGES,
    PARTS,
    LabelCounts,
    averaged,
    count_indicators,
    count_labels,
    label_scores,
)
from provetune.statistics.probability_scores import calibration_error, row_log_losses
from provetune.statistics.rows import JudgedRows

if TYPE_CHECKING:
    from provetune.core.protocols import Array


@dataclass(frozen=True)
class LabelReport:
    """One line of the table per label: scores between 0 and 1, `support` in gold rows."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def classification_scores(rows: JudgedRows) -> dict[str, float]:
    """Accuracy, averaged precision, recall and F1, and with probabilities log-loss and calibration error.

    With several labels a row, accuracy is the share of rows with exactly the right labels, as in scikit-learn. With an
    out-of-scope label also ``in_scope_accuracy`` and ``out_of_scope_recall``, where there are such rows. What the task
    computes in its own way (`JudgedRows.own`) goes before. Empty when there are no rows.
    """
    if len(rows) == 0:
        return {}
    counts = counts_of(rows)
    scores = {"accuracy": float(right_rows(rows).mean())}
    for average in AVERAGES:
        for part in reversed(PARTS):
            scores[f"{average}_{part}"] = averaged(counts, average, part)
    if rows.probabilities is not None:
        scores["log_loss"] = float(row_log_losses(rows.labels, rows.probabilities).mean())
        scores["ece"] = calibration_error(rows.labels, rows.probabilities)
    if rows.out_of_scope is not None and rows.labels.ndim == 1:
        scores.update(_scope_scores(rows))
    return {**scores, **{name: metric.value() for name, metric in rows.own.items()}}


def further_scores(rows: JudgedRows, names: Iterable[str]) -> dict[str, float]:
    """Those of the named metrics of `provetune.statistics.class_metrics` that these rows can have."""
    found = {}
    for name in names if len(rows) else ():
        try:
            value = class_metric(name, rows).value()
        except UsageError:  # e.g. coverage of a model that always answers
            continue
        if not np.isnan(value):
            found[name] = value
    return found


def counts_of(rows: JudgedRows) -> LabelCounts:
    """Hits, predicted and gold rows of each label."""
    if rows.labels.ndim == 2:
        return count_indicators(rows.labels, rows.predictions)
    return count_labels(rows.labels, rows.predictions, len(rows.names))


def right_rows(rows: JudgedRows) -> Array:
    """Whether each row's prediction is wholly right, bool (N,)."""
    same: Array = np.asarray(rows.labels == rows.predictions)
    return np.asarray(same.all(axis=1)) if same.ndim == 2 else same


def label_reports(rows: JudgedRows) -> list[LabelReport]:
    """Precision, recall, F1 and support of each label, in the order of `rows.names`."""
    counts = counts_of(rows)
    scores = label_scores(counts)
    return [
        LabelReport(
            label=name,
            precision=float(scores["precision"][k]),
            recall=float(scores["recall"][k]),
            f1=float(scores["f1"][k]),
            support=int(counts.gold[k]),
            predicted=int(counts.predicted[k]),
        )
        for k, name in enumerate(rows.names)
    ]


def confusion(rows: JudgedRows) -> Array:
    """How often gold label i (row) was given label j (column): int64 (C, C).

    With several labels a row: (C, 2, 2), each label's own table of absent/present by absent/present.
    """
    size = len(rows.names)
    if rows.labels.ndim == 1:
        flat = np.bincount(rows.labels * size + rows.predictions, minlength=size * size)
        return np.asarray(flat.reshape(size, size))
    counts, total = counts_of(rows), float(len(rows))
    false, missed = counts.predicted - counts.hits, counts.gold - counts.hits
    cells = [total - counts.hits - false - missed, false, missed, counts.hits]
    return np.asarray(np.stack(cells, axis=1).reshape(size, 2, 2).astype(np.int64))


def most_confused(rows: JudgedRows, limit: int = 10) -> list[dict[str, Any]]:
    """Pairs of labels that are mistaken most: ``{"label", "prediction", "count"}``, most frequent first."""
    if rows.labels.ndim == 2:
        return []
    table = confusion(rows)
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:limit]
    pairs = [np.unravel_index(cell, table.shape) for cell in order]
    return [
        {"label": rows.names[gold], "prediction": rows.names[said], "count": int(table[gold, said])}
        for gold, said in pairs
        if table[gold, said] > 0
    ]


def _scope_scores(rows: JudgedRows) -> dict[str, float]:
    right, outside = right_rows(rows), rows.labels == rows.out_of_scope
    parts = {"in_scope_accuracy": right[~outside], "out_of_scope_recall": right[outside]}
    return {name: float(part.mean()) for name, part in parts.items() if len(part)}
