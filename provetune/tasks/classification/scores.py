"""The scores of classification by name; the first is the one that selection and plain claims use."""

from __future__ import annotations

from provetune.core.protocols import Metric

METRICS = (
    Metric("accuracy", "Share of rows with the right label (with several labels: exactly the right ones)."),
    Metric("macro_f1", "F1 of each label, averaged: every label counts the same."),
    Metric("micro_f1", "F1 over all decisions: every row counts the same."),
    Metric("weighted_f1", "F1 of each label, averaged by the label's rows."),
    Metric("macro_precision", "Precision of each label, averaged."),
    Metric("macro_recall", "Recall of each label, averaged; also called balanced accuracy."),
    Metric("micro_precision", "Precision over all decisions."),
    Metric("micro_recall", "Recall over all decisions."),
    Metric("weighted_precision", "Precision of each label, averaged by the label's rows."),
    Metric("weighted_recall", "Recall of each label, averaged by the label's rows."),
    Metric("precision", "Of the rows given a label, the share that have it: [precision:LABEL].", per_label=True),
    Metric("recall", "Of the rows that have a label, the share given it: [recall:LABEL].", per_label=True),
    Metric("f1", "Harmonic mean of a label's precision and recall: [f1:LABEL].", per_label=True),
    Metric("log_loss", "Mean negative log-probability of the right label.", higher_is_better=False),
    Metric("ece", "Expected calibration error in 15 bins of equal width.", higher_is_better=False, kind="bootstrap"),
    Metric("in_scope_accuracy", "Accuracy over the rows whose label is not the out-of-scope one."),
    Metric("out_of_scope_recall", "Share of the out-of-scope rows that were recognised as such."),
    Metric("latency_p50_ms", "Median time for one text, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single texts stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single texts stay under, in milliseconds.", False, "system"),
)
