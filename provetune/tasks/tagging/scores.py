"""The scores of tagging by name, over outcomes; the first is the one that selection and plain claims use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Metric, Targets
from provetune.data.span_words import Span, spans_of_cell
from provetune.evaluation.entities import AVERAGES, PARTS, averaged_part, count_entities, label_part, labels_of
from provetune.evaluation.token_labels import token_counts

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.statistics.measured_rows import MeasuredRows

METRICS = (
    Metric("micro_f1", "F1 over all spans: one is right when its start, its end and its label are."),
    Metric("micro_precision", "Of the spans found, the share that is right."),
    Metric("micro_recall", "Of the spans that there are, the share found."),
    Metric("macro_f1", "F1 of each label, averaged: every label counts the same."),
    Metric("macro_precision", "Precision of each label, averaged."),
    Metric("macro_recall", "Recall of each label, averaged."),
    Metric("weighted_f1", "F1 of each label, averaged by the label's spans."),
    Metric("weighted_precision", "Precision of each label, averaged by the label's spans."),
    Metric("weighted_recall", "Recall of each label, averaged by the label's spans."),
    Metric("precision", "Of the spans found with a label, the share that is right: [precision:LABEL].", per_label=True),
    Metric("recall", "Of the spans with a label, the share found: [recall:LABEL].", per_label=True),
    Metric("f1", "Harmonic mean of a label's precision and recall: [f1:LABEL].", per_label=True),
    Metric("token_accuracy", "Share of tokens with the right tag; high wherever most tokens are outside."),
    Metric("exact_rows", "Share of texts whose spans are all right, and no others found."),
    Metric("latency_p50_ms", "Median time for one text, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single texts stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single texts stay under, in milliseconds.", False, "system"),
)


def judged_spans(outcomes: pa.Table) -> tuple[list[list[Span]], list[list[Span]], pa.Table]:
    """Gold and found spans of the rows that have a label, and these rows."""
    kept = outcomes.filter(outcomes.column("label").is_valid())
    gold = [spans_of_cell(cell) for cell in kept.column("label").to_pylist()]
    found = [spans_of_cell(cell) for cell in kept.column("prediction").to_pylist()]
    return gold, found, kept


def measure(outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> MeasuredRows:
    """Every metric over the rows that have a label, in the form that says how sure it is.

    Labels that training did not have count too: none of their spans can be found.
    """
    from provetune.statistics.measured_rows import MeanOf, MeasuredRows, OfSums

    gold, found, kept = judged_spans(outcomes)
    extra = [label for label in labels_of(gold, found) if label not in targets.names]
    names = (*targets.names, *extra)
    counts = count_entities(gold, found, names)
    tokens = token_counts(kept.column("tags").to_pylist(), kept.column("found_tags").to_pylist())
    exact = np.array([set(wanted) == set(got) for wanted, got in zip(gold, found, strict=True)], dtype=np.float64)
    metrics: dict[str, Any] = {
        f"{average}_{part}": OfSums(counts, partial(averaged_part, part=part, average=average))
        for average in AVERAGES
        for part in PARTS
    }
    for part in PARTS:
        for k, name in enumerate(names):
            metrics[f"{part}:{name}"] = OfSums(counts, partial(label_part, part=part, label=k))
    metrics["token_accuracy"] = OfSums(tokens, _ratio)
    metrics["exact_rows"] = MeanOf(exact)
    return MeasuredRows(metrics, names, _numbered(outcomes, groups))


def scores_of(rows: MeasuredRows) -> dict[str, float]:
    """The values of the averaged metrics; none where there are no rows."""
    if len(rows) == 0:
        return {}
    return {name: metric.value() for name, metric in rows.metrics.items() if ":" not in name}


def _ratio(sums: Array) -> Array:
    return np.asarray(sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], 1.0))


def _numbered(outcomes: pa.Table, groups: Sequence[Any] | None) -> Array | None:
    """The groups of the rows that have a label, as numbers."""
    if groups is None:
        return None
    kept = outcomes.column("label").is_valid().to_pylist()
    values = [str(group) for group, keep in zip(groups, kept, strict=True) if keep]
    return np.unique(values, return_inverse=True)[1] if values else np.zeros(0, dtype=np.int64)
