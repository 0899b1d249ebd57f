"""The base of tasks with one vector of outputs a text; see `provetune.tasks._sequence.task`."""

from __future__ import annotations

from provetune.tasks._sequence.answers import class_column, in_words, label_thresholds, told_classes
from provetune.tasks._sequence.targets import MULTI, SINGLE, VALUES, class_targets, value_targets
from provetune.tasks._sequence.task import NoOptions, SequenceTask, average_windows
from provetune.tasks._sequence.values import holds_values, label_values, outcome_values, told_values, value_column

__all__ = [
    "MULTI",
    "NoOptions",
    "SINGLE",
    "SequenceTask",
    "VALUES",
    "average_windows",
    "class_column",
    "class_targets",
    "holds_values",
    "in_words",
    "label_thresholds",
    "label_values",
    "outcome_values",
    "told_classes",
    "told_values",
    "value_column",
    "value_targets",
]
