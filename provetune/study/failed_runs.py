"""Which runs have failed: by a check on validation rows that is fixed before the first step.

A candidate of which one run in ten collapses breaks every rule of inference from a handful of runs. So a run that says
nothing more than "always the most frequent label" counts as failed: it is shown and counted, and claims are about the
runs that passed. The check never sees a test row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import Guesses, Targets, Task, TrialRecord
from provetune.statistics.failures import most_failures

if TYPE_CHECKING:
    import pyarrow as pa

KEY = "failed_check"
"""Name of the check among what the ledger freezes of a problem."""


@dataclass(frozen=True)
class FailedCheck:
    """What a run's validation score must be better than.

    Attributes:
        metric: the primary metric.
        level: its value for a guess that looks at no text (`Guesses`); None where it has none.
        higher_is_better: of the metric.
    """

    metric: str
    level: float | None
    higher_is_better: bool = True

    def fault(self, scores: Mapping[str, float]) -> str | None:
        """Why a run with these validation scores has failed, or None where it has not."""
        score = scores.get(self.metric)
        if score is None or not math.isfinite(score):
            return f"its validation {self.metric} is no number"
        if self.level is None or (score > self.level if self.higher_is_better else score < self.level):
            return None
        return (
            f"its validation {self.metric} of {score:.3f} is no better than the {self.level:.3f} of guessing without a "
            "look at the texts"
        )

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FailedCheck:
        return cls(document["metric"], document["level"], document["higher_is_better"])


@dataclass(frozen=True)
class SortedRuns:
    """The runs of one candidate: those that passed the check, and why others did not, by number."""

    passed: tuple[TrialRecord, ...]
    failed: Mapping[int, str]

    @property
    def count(self) -> int:
        return len(self.passed) + len(self.failed)

    def at_most(self, confidence: float) -> float | None:
        """The largest share of failing runs that these leave open; None without runs."""
        return most_failures(len(self.failed), self.count, confidence) if self.count else None


def fix_check(task: Task, targets: Targets, validation: pa.Table) -> FailedCheck:
    """The check of a study, from its validation rows and the labels of its training rows."""
    metric = task.metrics[0]
    if not isinstance(task, Guesses) or validation.num_rows == 0 or (task.classes and not targets.counts):
        return FailedCheck(metric.name, None, metric.higher_is_better)
    guessed = task.guess(validation, targets)
    score = task.score(task.outcomes(validation, guessed, targets), targets).get(metric.name)
    level = None if score is None or not math.isfinite(score) else float(score)
    return FailedCheck(metric.name, level, metric.higher_is_better)


def sort_runs(runs: Sequence[TrialRecord], crashed: Mapping[int, str], check: FailedCheck) -> SortedRuns:
    """Divide a candidate's runs.

    Args:
        runs: those that ended.
        crashed: those that did not, and why, by number.
    """
    faults = {run.k: check.fault(run.scores) for run in runs}
    failed = {k: f"it did not end: {message}" for k, message in crashed.items()}
    failed.update({k: fault for k, fault in faults.items() if fault is not None})
    return SortedRuns(tuple(run for run in runs if faults[run.k] is None), dict(sorted(failed.items())))
