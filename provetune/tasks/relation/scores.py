"""The scores of relations by name; the first is the one that selection and plain claims use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.protocols import Metric
from provetune.evaluation.relation_scores import PARTS, relation_functions, relation_statistics, relations_of
from provetune.statistics.measured_rows import OfSums, RowMetric

if TYPE_CHECKING:
    from provetune.core.protocols import Array

METRICS = (
    Metric(
        "macro_f1",
        'F1 of each relation, averaged, as SemEval-2010 Task 8 scores: directions count, "other" is not averaged.',
    ),
    Metric("accuracy", 'Share of rows with the right label, direction and "other" included.'),
    Metric("macro_precision", "Precision of each relation, averaged in the same way."),
    Metric("macro_recall", "Recall of each relation, averaged in the same way."),
    Metric("micro_f1", 'F1 over all relations together, "other" left out: every row counts the same.'),
    Metric("micro_precision", 'Of the rows given a relation, the share that have it, "other" left out.'),
    Metric("micro_recall", 'Of the rows that have a relation, the share given it, "other" left out.'),
    Metric("undirected_macro_f1", "The macro F1 if directions did not count: what is lost to them is the difference."),
    Metric("precision", "Of the rows given a label with its direction, the share that have it.", per_label=True),
    Metric("recall", "Of the rows that have a label with its direction, the share given it.", per_label=True),
    Metric("f1", "F1 of a label with its direction: [f1:LABEL].", per_label=True),
    Metric("log_loss", "Mean negative log-probability of the right label.", higher_is_better=False, high=float("inf")),
    Metric("ece", "Expected calibration error in 15 bins of equal width.", higher_is_better=False, kind="bootstrap"),
    Metric("latency_p50_ms", "Median time for one text, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single texts stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single texts stay under, in milliseconds.", False, "system"),
)
UNDIRECTED = "undirected_macro_f1"


def relation_metrics(gold: Array, said: Array, names: Sequence[str], other: str | None) -> dict[str, RowMetric]:
    """The averaged scores of relations over N rows.

    Args:
        gold, said: label numbers (N,) among `names`.
        other: the label that means no relation.
    """
    relations = relations_of(names, other)
    sums = relation_statistics(gold, said, relations)
    functions = relation_functions(relations)
    found: dict[str, RowMetric] = {
        f"{average}_{part}": OfSums(sums, functions[f"{average}_{part}"])
        for average in ("macro", "micro")
        for part in PARTS
    }
    loose = relation_statistics(gold, said, relations, directed=False)
    found[UNDIRECTED] = OfSums(loose, functions["macro_f1"])
    return found


def relation_lines(gold: Array, said: Array, names: Sequence[str], other: str | None) -> list[tuple[object, ...]]:
    """A line a relation: name, precision, recall, F1, gold and predicted rows, and rows the wrong way round."""
    relations = relations_of(names, other)
    width = len(relations.names)
    hits, predicted, gold_rows = relation_statistics(gold, said, relations).sum(axis=0).reshape(3, width)
    loose = relation_statistics(gold, said, relations, directed=False).sum(axis=0)[:width]
    total = np.concatenate([hits, predicted, gold_rows])
    functions = relation_functions(relations)
    return [
        (
            name,
            *(round(float(functions[f"{part}:{name}"](total)), 4) for part in PARTS),
            int(gold_rows[k]),
            int(predicted[k]),
            int(loose[k] - hits[k]),
        )
        for k, name in enumerate(relations.names)
    ]
