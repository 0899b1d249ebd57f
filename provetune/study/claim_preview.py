"""What validation rows say about claims, while the sealed test is not shown: effects and intervals, never a verdict.

Validation rows chose each run's best state, so these figures are somewhat too kind to whatever was trained; that is why
claims are judged on the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import Targets, Task
from provetune.problem.claims import parse_claim
from provetune.problem.syntax import Problem
from provetune.study.claim_folds import folds_of_runs
from provetune.study.repeated import is_deterministic
from provetune.study.report_runs import FinishedRun
from provetune.study.shown_metrics import metric_limits
from provetune.study.verdict import CandidateRows, judge_claims

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.data.folds import Folds

_SHOWN = ("effect", "interval", "metric", "left", "right")


def preview_claims(
    problem: Problem,
    task: Task,
    targets: Targets,
    runs: Mapping[str, Sequence[FinishedRun]],
    examples: pa.Table,
    failed: Mapping[str, Sequence[int]],
) -> list[dict[str, Any]]:
    """Every claim's effect on validation rows, in the problem's order.

    Args:
        runs: finished runs by candidate, with outcomes of the validation rows.
        examples: these rows.
        failed: numbers of runs that failed, by candidate; they are left out, as in the verdict.

    Returns:
        One mapping a claim: ``claim`` and ``verdict`` (None), and under ``validation`` its ``effect``, ``interval``,
        ``metric``, ``left`` and ``right``; None where validation says nothing (of the machine, no run).
    """
    claims = [parse_claim(text) for text in problem.claims]
    if not claims:
        return []
    present = {name: group for name, group in runs.items() if group}
    rows = {name: _rows(problem, task, name, group, targets, failed.get(name, ())) for name, group in present.items()}
    judged = judge_claims(
        claims,
        rows,
        metric=task.metrics[0].name,
        kinds={metric.name: metric.kind for metric in task.metrics},
        alpha=1 - problem.study.confidence,
        examples=_labelled(examples, runs),
        limits=metric_limits(task),
        folds=folds_of_runs(_folds(problem), examples, problem.study.seeds),
    )
    found = []
    for claim, one in zip(claims, judged, strict=True):
        known = one["effect"] is not None
        shown = {part: one[part] for part in _SHOWN} if known else None
        found.append({"claim": claim.text, "verdict": None, "validation": shown})
    return found


def _rows(
    problem: Problem, task: Task, name: str, runs: Sequence[FinishedRun], targets: Targets, failed: Sequence[int]
) -> CandidateRows:
    passed = [run for run in runs if run.k not in failed]
    deterministic = is_deterministic(problem.candidates[name], folds=problem.data.split.folds)
    passed = passed[:1] if deterministic else passed
    judged = tuple(replace(task.judged(run.outcomes, targets), groups=None) for run in passed)
    return CandidateRows(judged, deterministic, numbers=tuple(run.k for run in passed))


def _folds(problem: Problem) -> Folds | None:
    """Of cross-validation: what validated in one round is what was held out in the one before."""
    from provetune.data.folds import Folds

    split = problem.data.split
    if split.folds is None:
        return None
    return Folds(split.folds, split.seed, split.stratify, split.group or problem.data.columns.group)


def _labelled(examples: pa.Table, runs: Mapping[str, Sequence[FinishedRun]]) -> pa.Table:
    """The rows that have a label, which are the ones that outcomes are judged on."""
    for group in runs.values():
        for run in group:
            return examples.filter(run.outcomes.column("label").is_valid())
    return examples
