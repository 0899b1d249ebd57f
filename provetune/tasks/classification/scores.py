"""The scores of classification by name; the first is the one that selection and plain claims use."""

from __future__ import annotations

from provetune.core.protocols import Metric
from provetune.evaluation.label_metrics import (
    ACCURACY,
    AVERAGED_METRICS,
    LATENCY_METRICS,
    PER_LABEL_METRICS,
    PROBABILITY_METRICS,
)

METRICS = (
    ACCURACY,
    *AVERAGED_METRICS,
    *PER_LABEL_METRICS,
    *PROBABILITY_METRICS,
    Metric("in_scope_accuracy", "Accuracy over the rows whose label is not the out-of-scope one."),
    Metric("out_of_scope_recall", "Share of the out-of-scope rows that were recognised as such."),
    Metric("auc", "Area under the ROC curve of a label's probability: [auc:LABEL].", kind="ranks", per_label=True),
    Metric("coverage", "Share of rows that are answered, of a model that may abstain."),
    Metric("selective_accuracy", "Accuracy over the rows that are answered, of a model that may abstain."),
    Metric(
        "aurc", "Share of wrong answers, averaged over every coverage, the surest rows first (AURC).", False, "ranks"
    ),
    *LATENCY_METRICS,
)
