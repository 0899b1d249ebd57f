"""What validation rows settle once a model has learned: its temperature, what its task fits besides, its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provetune.core.protocols import Calibratable, Targets, Task, Tunable

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Answers, FeatureColumns, Outputs


@dataclass(frozen=True)
class Calibrated:
    """What a model says about the validation rows, as it will be kept.

    Attributes:
        temperature: what its outputs were divided by.
        targets: with what the task fitted.
        outcomes: of the validation rows.
        scores: of these.
    """

    temperature: float
    targets: Targets
    outcomes: pa.Table
    scores: Mapping[str, float]


def calibrate(
    task: Task, outputs: Outputs, features: FeatureColumns | None, validation: pa.Table, targets: Targets
) -> Calibrated:
    """Fit a temperature to the validation rows, then what else the task fits to them, and score what comes out.

    Args:
        outputs: of F features.
        features: None where there is one output a row.
    """

    def outcomes(found: Outputs, known: Targets) -> pa.Table:
        return task.outcomes(validation, task.answers(found, features, validation, known), known)

    temperature = fit_temperature(task, outputs, features, outcomes(outputs, targets), targets)
    if temperature != 1.0:
        several = isinstance(outputs, list)
        outputs = [each / temperature for each in outputs] if several else outputs / temperature
    tuned = tune(task, task.answers(outputs, features, validation, targets), validation, targets)
    judged = outcomes(outputs, tuned)
    return Calibrated(temperature, tuned, judged, dict(task.score(judged, tuned)))


def fit_temperature(
    task: Task, outputs: Outputs, features: FeatureColumns | None, outcomes: pa.Table, targets: Targets
) -> float:
    """The validation rows' temperature, or 1.0 where the task knows none."""
    if not isinstance(task, Calibratable):
        return 1.0
    return float(task.fit_temperature(outputs, features, outcomes, targets))


def tune(task: Task, answers: Answers, validation: pa.Table, targets: Targets) -> Targets:
    """The targets with what the task fits to validation rows, if anything."""
    return task.tune(answers, validation, targets) if isinstance(task, Tunable) else targets
