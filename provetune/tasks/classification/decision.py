"""From probabilities to answers: thresholds of several labels, and rows that are better left to a person.

Where a label is marked as out of scope, it is no answer: a row for which it is the most probable one is abstained on,
and a row that is abstained on for lack of confidence is given it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets
from provetune.tasks._sequence import MULTI, label_thresholds

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

THRESHOLDS, ABSTAIN = "thresholds", "abstain"


def row_confidence(answers: Array, targets: Targets) -> Array:
    """How sure the model is of each row, (N,): as `provetune.statistics.class_metrics.sureness` has it."""
    from provetune.statistics.class_metrics import label_confidence, set_confidence

    if targets.kind == MULTI:
        return set_confidence(answers, np.asarray(answers) >= label_thresholds(targets))
    return label_confidence(answers, out_of_scope_number(targets))[0]


def answered_rows(answers: Array, targets: Targets) -> Array | None:
    """Which rows are answered, bool (N,); None where the model may not abstain."""
    tuned: Mapping[str, Any] | None = targets.tuned.get(ABSTAIN)
    if tuned is None:
        return None
    return np.asarray(row_confidence(answers, targets) >= tuned["threshold"])


def out_of_scope_number(targets: Targets) -> int | None:
    """Number of the label that means "none of these"; None where none is marked, or a row may have several."""
    if targets.out_of_scope not in targets.names or targets.kind == MULTI:
        return None
    return targets.names.index(targets.out_of_scope)


def tune_decision(answers: Array, examples: pa.Table, targets: Targets) -> Targets:
    """Thresholds and the line below which nothing is answered, as the options ask for, from validation rows.

    Args:
        answers: probabilities (N, C).
        examples: the same N rows; those without a label say nothing.
    """
    import pyarrow.compute as pc

    labelled = examples.column("label").is_valid()
    if not pc.any(labelled).as_py():
        return targets
    if not pc.all(labelled).as_py():
        answers, examples = np.asarray(answers)[labelled.to_numpy()], examples.filter(labelled)
    if targets.kind == MULTI:
        targets = replace(targets, tuned={**targets.tuned, THRESHOLDS: _thresholds(answers, examples, targets)})
    aim = targets.options.get(ABSTAIN)
    if aim is None:
        return targets
    return replace(targets, tuned={**targets.tuned, ABSTAIN: _line(answers, examples, targets, aim)})


def _thresholds(answers: Array, examples: pa.Table, targets: Targets) -> list[float]:
    from provetune.evaluation.outcomes import indicators
    from provetune.evaluation.thresholds import choose_thresholds

    how = targets.options.get(THRESHOLDS, "auto")
    if isinstance(how, float | int):
        return [float(how)] * len(targets.names)
    gold = indicators(examples.column("label").combine_chunks(), targets.names)
    return [round(float(value), 6) for value in choose_thresholds(answers, gold, how)]


def _line(answers: Array, examples: pa.Table, targets: Targets, aim: Mapping[str, Any]) -> dict[str, float]:
    """The threshold on confidence, and what it gives on these rows: ``coverage`` and ``risk``."""
    from provetune.evaluation.abstention import threshold_for_coverage, threshold_for_risk

    confidence, wrong = row_confidence(answers, targets), wrong_rows(answers, examples, targets)
    if aim.get("coverage") is not None:
        threshold = threshold_for_coverage(confidence, aim["coverage"])
    else:
        threshold = threshold_for_risk(confidence, wrong, aim["risk"], aim.get("certainty"))
    threshold = max(0.0, threshold)
    answered = confidence >= threshold
    risk = float(wrong[answered].mean()) if answered.any() else 0.0
    return {"threshold": threshold, "coverage": float(answered.mean()), "risk": risk}


def wrong_rows(answers: Array, examples: pa.Table, targets: Targets) -> Array:
    """Where what would be answered is wrong, float (N,); an out-of-scope row has no right answer."""
    from provetune.evaluation.outcomes import indicators, label_numbers
    from provetune.statistics.class_metrics import label_confidence

    column = examples.column("label").combine_chunks()
    if targets.kind == MULTI:
        given = np.asarray(answers) >= label_thresholds(targets)
        gold = indicators(column, targets.names)
        # A label that the model does not know is missed.
        known = np.asarray(gold.sum(axis=1) == _lengths(column))
        return np.asarray(~((given == gold).all(axis=1) & known), dtype=np.float64)
    best = label_confidence(answers, out_of_scope_number(targets))[1]
    return np.asarray(best != label_numbers(column, targets.names), dtype=np.float64)


def _lengths(column: pa.Array) -> Array:
    import pyarrow.compute as pc

    return np.asarray(pc.list_value_length(column).to_numpy(zero_copy_only=False))
