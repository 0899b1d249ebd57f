"""Which of a task's metrics are worth a column, and what a reader must know of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from provetune.core.protocols import Task

MOST_METRICS: Final = 6
# Where every row has one label many more are computed, which say little beside these.
_OF_LABELS = (
    *("accuracy", "macro_f1", "coverage", "selective_accuracy"),
    *("log_loss", "ece", "in_scope_accuracy", "out_of_scope_recall"),
)


def choose_metrics(present: Sequence[str], primary: str | None = None) -> list[str]:
    """The metrics worth a column: the primary one, then a task's first; where labels are classes the well-known ones.

    Args:
        present: names in the task's order.
    """
    chosen = list(present)
    if "accuracy" in present or "log_loss" in present:
        # What a task puts before them is its own measure, e.g. the distance of labels that have an order.
        first_known = next(number for number, name in enumerate(present) if name in _OF_LABELS)
        chosen = [*present[:first_known], *(name for name in _OF_LABELS if name in present)]
    if primary is not None and primary in present:
        chosen = [primary, *chosen]
    return list(dict.fromkeys(chosen))[:MOST_METRICS]


def metric_limits(task: Task) -> dict[str, tuple[float, float]]:
    """The least and the greatest value of each metric; figures of the machine have no greatest one."""
    return {metric.name: (metric.low, math.inf if metric.kind == "system" else metric.high) for metric in task.metrics}


def metric_facts(task: Task) -> dict[str, dict[str, Any]]:
    """Of each metric ``description``, ``higher_is_better``, and ``low`` and ``high``: its limits, None for no limit."""
    return {
        metric.name: {
            "description": metric.description,
            "higher_is_better": metric.higher_is_better,
            "low": metric.low if math.isfinite(metric.low) else None,
            "high": metric.high if math.isfinite(metric.high) and metric.kind != "system" else None,
        }
        for metric in task.metrics
    }
