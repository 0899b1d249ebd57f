"""What the runs of one candidate say about a scope: a metric, perhaps one label, over some of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.problem.scopes import Scope
from provetune.statistics.crossed import Estimate, estimate, estimate_resampled
from provetune.statistics.judged import Judged, concerned_rows, contributions_of_runs
from provetune.statistics.label_counts import counted_metrics
from provetune.statistics.measured_rows import MeasuredRows
from provetune.statistics.resampling import RESAMPLED, draw_scores
from provetune.statistics.rows import JudgedRows

if TYPE_CHECKING:
    from provetune.core.protocols import Array

SCORE = "score"
_SHARES = ("accuracy", "in_scope_accuracy", "out_of_scope_recall")


@dataclass(frozen=True)
class CandidateRows:
    """What the runs of one candidate said about the rows that all candidates are judged on.

    Attributes:
        seeds: one for each run that passed the check of failed runs, in the order of their numbers.
        deterministic: all runs are equal, so that one of them is all there is to know.
        failed: number and reason of each run that failed.
        data_note: what a reader must know about the rows it learned from.
        numbers: number of each run in `seeds`; counted from 0 when left out.
        derived_from: the candidate whose runs these were made from (quantised, pruned), run by run.
        scores: a number for each run and row, (k, n), whose mean is the metric ``score``; made elsewhere.
    """

    seeds: tuple[Judged, ...]
    deterministic: bool = False
    failed: tuple[tuple[int, str], ...] = ()
    data_note: str | None = None
    numbers: tuple[int, ...] = ()
    derived_from: str | None = None
    scores: Array | None = None

    @property
    def judged(self) -> tuple[Judged, ...]:
        """The runs that count: one of a deterministic candidate."""
        return self.seeds[:1] if self.deterministic else self.seeds

    def by_number(self) -> dict[int, int]:
        """Place among the runs that count of each run's number."""
        numbers = self.numbers or tuple(range(len(self.seeds)))
        return {number: place for place, number in enumerate(numbers[: len(self.judged)])}


@dataclass(frozen=True)
class Figures:
    """One candidate's figures within a scope, k runs.

    Attributes:
        scores: of each run, (k,).
        contributions: of each run and row, (k, M); None for a resampled metric.
        draws: scores on resampled rows, (B, k); None for any other metric.
        concerned: which of the M rows the metric is really about (of a label's recall, the rows of that label), (M,).
        groups: number of each row's group, (M,).
        units: independent rows of a resampled metric.
        unit: by how much one row can move the sum, where that is known.
        limits: the least and the greatest value of the metric, where a task says.
        used: numbers of the M rows among those of the scope; None for all of them.
    """

    scores: tuple[float, ...]
    contributions: Array | None = None
    draws: Array | None = None
    concerned: Array | None = None
    groups: Array | None = None
    units: int = 0
    unit: float | None = None
    limits: tuple[float, float] | None = None
    used: Array | None = None


def make_figures(runs: Sequence[Judged], scope: Scope) -> Figures:
    """The figures of one candidate's runs.

    Raises:
        UsageError: a label that is not there, or a metric that these rows cannot have.
    """
    measured = [rows for rows in runs if isinstance(rows, MeasuredRows)]
    if measured:
        return _measured_figures(measured, scope)
    classes = [rows for rows in runs if isinstance(rows, JudgedRows)]
    if scope.metric in RESAMPLED:
        scores, draws = draw_scores(scope.metric, classes)
        units = _count(classes[0].groups, len(classes[0]))
        return Figures(tuple(map(float, scores)), draws=draws, units=units)
    contributions, used = contributions_of_runs(scope.metric, classes, scope.value)
    groups = None if classes[0].groups is None else classes[0].groups[used]
    concerned = _concerned(classes, scope, used)
    unit = 1.0 if scope.metric in _SHARES else None
    means = tuple(map(float, contributions.mean(axis=1)))
    return Figures(means, contributions, None, concerned, groups, unit=unit, used=used)


def _measured_figures(runs: Sequence[MeasuredRows], scope: Scope) -> Figures:
    contributions, _ = contributions_of_runs(scope.metric, runs, scope.value)
    metric = runs[0].metric(scope.metric, scope.value)
    scores = tuple(rows.metric(scope.metric, scope.value).value() for rows in runs)
    concerned = concerned_rows(scope.metric, runs, scope.value)
    return Figures(scores, contributions, None, concerned, runs[0].groups, limits=(metric.low, metric.high))


def make_score_figures(candidate: CandidateRows, mask: Array | None) -> Figures:
    """The figures of a candidate that has a score for each row.

    Raises:
        UsageError: it has none.
    """
    if candidate.scores is None:
        raise UsageError(f"There is no '{SCORE}' of these rows.")
    values = candidate.scores[: len(candidate.judged)]
    groups = candidate.seeds[0].groups
    if mask is not None:
        values, groups = values[:, mask], None if groups is None else groups[mask]
    concerned = np.ones(values.shape[1], dtype=bool)
    return Figures(tuple(map(float, values.mean(axis=1))), values, None, concerned, groups)


def cross_figures(left: Figures, right: Figures | None, derived: Sequence[tuple[int, int]] = ()) -> Estimate:
    """The crossed estimate of a difference, or of one candidate's value.

    Args:
        derived: places of runs of which one was made from the other; they are subtracted first, run by run.
    """
    if left.draws is not None:
        if right is None:
            return estimate_resampled(left.scores, left.draws, rows=left.units)
        if derived:
            places = np.asarray(derived)
            if right.draws is None:
                raise UsageError("Both sides must be judged alike.")
            scores = np.asarray(left.scores)[places[:, 0]] - np.asarray(right.scores)[places[:, 1]]
            return estimate_resampled(
                scores, left.draws[:, places[:, 0]] - right.draws[:, places[:, 1]], rows=left.units
            )
        return estimate_resampled(left.scores, left.draws, right.scores, right.draws, rows=left.units)
    if left.contributions is None:
        raise UsageError("There are no figures to judge.")
    if right is None or right.contributions is None:
        return estimate(left.contributions, groups=left.groups, unit=left.unit)
    if derived:
        places = np.asarray(derived)
        moved = left.contributions[places[:, 0]] - right.contributions[places[:, 1]]
        return estimate(moved, groups=left.groups, unit=left.unit)
    return estimate(left.contributions, right.contributions, groups=left.groups, unit=left.unit)


def varies(found: Estimate, figures: Figures) -> bool:
    """Whether runs or rows differ at all, beyond the least that rows are taken to."""
    least = 0.0 if figures.unit is None else 2 * (figures.unit / found.rows) ** 2
    return found.seeds_variance > 0 or found.rows_variance > least * (1 + 1e-9)


def count_units(figures: Sequence[Figures]) -> int:
    """Independent rows (or groups of them) that a comparison rests on."""
    concerned = [one.concerned for one in figures if one.concerned is not None]
    if not concerned:
        return figures[0].units
    either = np.logical_or.reduce(concerned)
    groups = figures[0].groups
    return _count(None if groups is None else groups[either], int(either.sum()))


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1 and is made of counts of rows."""
    return metric in _SHARES or metric in counted_metrics()


def figure_range(scope: Scope, figures: Sequence[Figures]) -> tuple[float, float]:
    """Between which a row's figure (or difference of two) lies: 0 and 1 for shares, else what was seen as well.

    A metric without a limit (an error in the number's own units) has only what was seen.
    """
    limits = [limit for limit in figures[0].limits or (0.0, 1.0) if np.isfinite(limit)]
    seen = [one.contributions for one in figures if one.contributions is not None and one.contributions.size]
    if scope.metric not in _SHARES and (scope.value is None or len(limits) < 2) and seen:
        limits += [float(extreme) for values in seen for extreme in (values.min(), values.max())]
    low, high = (min(limits), max(limits)) if limits else (0.0, 1.0)
    return (low, high) if len(figures) == 1 else (low - high, high - low)


def _concerned(runs: Sequence[JudgedRows], scope: Scope, used: Array) -> Array:
    """Which of the rows used say something about a label's score, bool (M,); all where no label is named.

    The area under the ROC curve of a label compares rows that have it with those that have not.
    """
    if scope.value is None or scope.metric == "auc":
        return np.ones(len(used), dtype=bool)
    label = runs[0].names.index(scope.value)
    gold = _has(runs[0].labels, label)
    if scope.metric == "recall":
        return gold
    said: Array = np.logical_or.reduce([_has(rows.predictions, label) for rows in runs])
    return said if scope.metric == "precision" else gold | said


def _has(labels: Array, label: int) -> Array:
    found: Array = labels[:, label].astype(bool) if labels.ndim == 2 else labels == label
    return found


def _count(groups: Array | None, rows: int) -> int:
    return rows if groups is None else len(np.unique(groups))
