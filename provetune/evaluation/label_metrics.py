"""The scores by name that every task has whose labels are classes, and those of the machine."""

from __future__ import annotations

from provetune.core.protocols import Metric

ACCURACY = Metric("accuracy", "Share of rows with the right label (with several labels: exactly the right ones).")

AVERAGED_METRICS = (
    Metric("macro_f1", "F1 of each label, averaged: every label counts the same."),
    Metric("micro_f1", "F1 over all decisions: every row counts the same."),
    Metric("weighted_f1", "F1 of each label, averaged by the label's rows."),
    Metric("macro_precision", "Precision of each label, averaged."),
    Metric("macro_recall", "Recall of each label, averaged; also called balanced accuracy."),
    Metric("micro_precision", "Precision over all decisions."),
    Metric("micro_recall", "Recall over all decisions."),
    Metric("weighted_precision", "Precision of each label, averaged by the label's rows."),
    Metric("weighted_recall", "Recall of each label, averaged by the label's rows."),
)

PER_LABEL_METRICS = (
    Metric("precision", "Of the rows given a label, the share that have it: [precision:LABEL].", per_label=True),
    Metric("recall", "Of the rows that have a label, the share given it: [recall:LABEL].", per_label=True),
    Metric("f1", "Harmonic mean of a label's precision and recall: [f1:LABEL].", per_label=True),
)

PROBABILITY_METRICS = (
    Metric("log_loss", "Mean negative log-probability of the right label.", higher_is_better=False),
    Metric("ece", "Expected calibration error in 15 bins of equal width.", higher_is_better=False, kind="bootstrap"),
)

LATENCY_METRICS = (
    Metric("latency_p50_ms", "Median time for one text, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single texts stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single texts stay under, in milliseconds.", False, "system"),
)
