"""What a study has shown so far, as plain values: scores, curves and stored verdicts, never a test row.

Everything here comes from validation rows, training events and verdicts that were given before; whoever proposes a
step sees nothing else. Scores and gains are in units of the primary metric: 0.01 is a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import LearnsFrom
from provetune.problem.syntax import Candidate

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.statistics.judged import Judged
    from provetune.study.next.learning_curve import CurvePoint


@dataclass(frozen=True)
class RunEvidence:
    """One run of a candidate.

    Attributes:
        score: on the validation rows, of the state that was kept.
        losses: training loss of each step, in order; empty for what has no steps.
        evaluations: step and validation scores, in order.
        planned_steps: steps that were planned.
        training_rows: rows that it learned from.
        seconds: that training took.
        failed: why its validation score says no more than "always the most frequent label"; None where it says more.
    """

    score: float
    losses: tuple[float, ...] = ()
    evaluations: tuple[tuple[int, Mapping[str, float]], ...] = ()
    planned_steps: int = 1
    training_rows: int = 0
    seconds: float = 0.0
    failed: str | None = None


@dataclass(frozen=True)
class CandidateEvidence:
    """A candidate and its runs.

    Attributes:
        candidate: as resolved, every choice made.
        learns_from: of its method.
        runs: those that ended.
        judged: what the runs that did not fail said about the validation rows, all in one order.
        deterministic: whether all its runs are equal.
        usual: what its method sets where the file says nothing, e.g. ``learning_rate``.
        use_cost: what it costs to answer with; ratios matter, not units.
    """

    name: str
    candidate: Candidate
    learns_from: LearnsFrom
    runs: tuple[RunEvidence, ...]
    judged: tuple[Judged, ...] = ()
    deterministic: bool = False
    usual: Mapping[str, Any] = field(default_factory=dict)
    use_cost: float = 1.0

    @property
    def passed(self) -> tuple[RunEvidence, ...]:
        """Runs that did not fail."""
        return tuple(run for run in self.runs if run.failed is None)

    @property
    def score(self) -> float:
        """Mean over the runs that did not fail; over all where every run failed."""
        return fmean(run.score for run in (self.passed or self.runs))

    @property
    def run_seconds(self) -> float:
        """Seconds of one run."""
        seconds = [run.seconds for run in self.runs]
        return max(seconds[:1]) if self.deterministic else fmean(seconds)

    @property
    def training_rows(self) -> int:
        return max(run.training_rows for run in self.runs)


LEAST_WRONG = 0.05


@dataclass(frozen=True)
class Suspicion:
    """Training rows whose label is doubtful, found by a cheap method on rows that it did not learn from.

    Attributes:
        share: of the training labels that are wrong, by the rows that the method is surest of.
        at_least: 95 % lower bound of it.
        rows: the doubtful rows, the most doubtful first, as they are listed in a file (`suspicious.COLUMNS`).
        gain: what leaving them out changed, measured on validation rows with the cheap method.
        interval: of it, 95 %.
        method: the cheap method.
    """

    share: float
    at_least: float
    rows: tuple[Mapping[str, Any], ...]
    gain: float
    interval: tuple[float, float]
    method: str

    @property
    def believed(self) -> bool:
        """Whether so many labels are wrong beyond doubt; fewer disagree in clean sets too."""
        return self.at_least >= LEAST_WRONG and bool(self.rows)


@dataclass(frozen=True)
class Curve:
    """Scores of one candidate's settings on shares of the training rows.

    Attributes:
        name: the candidate that learned.
        points: ascending in their rows.
        measured: whether the study's own runs are the points; else `next` computed them.
    """

    name: str
    points: tuple[CurvePoint, ...]
    measured: bool


@dataclass(frozen=True)
class Evidence:
    """All that a study has shown.

    Attributes:
        metric: the primary one; more of it is better.
        is_share: whether it lies between 0 and 1, so that 1 − score is an error.
        best: candidate with the best validation score.
        rows: of each split.
        label_names: of the task.
        seeds, smallest, confidence: of the study section.
        claims, accept: as judged at the study's look at the test; empty before it.
        curves: by candidate.
        suspicion: None where nothing was looked for.
        larger: name of the next larger backbone of the catalogue for the best candidate's language, and how many
            times as large it is; None where there is none.
    """

    study: str
    metric: str
    best: str
    candidates: Mapping[str, CandidateEvidence]
    rows: Mapping[str, int]
    label_names: tuple[str, ...]
    seeds: int
    smallest: float = 0.01
    confidence: float = 0.95
    is_share: bool = True
    claims: tuple[Mapping[str, Any], ...] = ()
    accept: tuple[Mapping[str, Any], ...] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)
    suspicion: Suspicion | None = None
    larger: tuple[str, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def leader(self) -> CandidateEvidence:
        """The best candidate."""
        return self.candidates[self.best]

    @property
    def error(self) -> float:
        """What the best candidate still gets wrong; 0 where the metric is no share."""
        return max(0.0, 1 - self.leader.score) if self.is_share else 0.0

    @property
    def reducible(self) -> float:
        """The error that better training could remove: without that of labels that are wrong themselves."""
        wrong = self.suspicion.share if self.suspicion is not None and self.suspicion.believed else 0.0
        return max(0.0, self.error - wrong)

    def contributions(self, name: str) -> Array | None:
        """What each validation row contributes to a candidate's score, averaged over its runs (M,)."""
        from provetune.statistics.judged import contributions_of

        judged = self.candidates[name].judged
        if not judged:
            return None
        return np.mean([contributions_of(self.metric, rows) for rows in judged], axis=0)  # type: ignore[no-any-return]
