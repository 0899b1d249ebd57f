"""Whether a bundle is what the problem calls solved.

The question is about these weights, so only the luck of the test rows counts: a level is met when the
one-sided bound reaches it, not met when the mirrored bound excludes it, else undecided. What is judged are
stored test outcomes and stored measurements; nothing here reads test rows or runs a model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provetune.core.errors import ProvetuneError, UsageError
from provetune.evaluation.slices import keep_rows, slice_mask
from provetune.problem.scopes import Level, Scope, parse_accept_key, parse_level
from provetune.statistics.blocks import bound_for_blocks
from provetune.statistics.judged import Judged, bound_of
from provetune.statistics.levels import judge_level
from provetune.statistics.rows import RowsBound
from provetune.statistics.share_bounds import effective_rows, share_lower, share_upper
from provetune.study.claim_figures import count_units, is_share, make_figures

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Targets, Task

ESTIMAND = "these weights"


def judge_acceptance(
    accept: Mapping[str, str],
    task: Task,
    targets: Targets,
    outcomes: pa.Table,
    *,
    confidence: float,
    blocks: Mapping[str, Sequence[float]] | None = None,
    examples: pa.Table | None = None,
    groups: Sequence[Any] | None = None,
) -> list[dict[str, Any]]:
    """How a bundle stands to each level of ``accept``.

    Args:
        accept: scope and level, as in the problem file.
        outcomes: the bundle's stored test outcomes, N rows.
        confidence: one-sided.
        blocks: figures of each measured block by system metric, e.g. ``{"latency_p95_ms": [11.2, …]}``.
        examples: columns ``raw.<name>`` of the same N rows in the same order; needed by levels for some rows only.
        groups: a value a row, where rows of one value are not independent.

    Returns:
        One mapping a level: ``metric``, ``required``, ``value``, ``bound`` (the one that has to reach the
        level), ``met`` (True, False, None), ``notes`` and ``estimand``, which is "these weights": the luck of training
        is not in it. What could not be measured has None and says why.
    """
    rows = task.judged(outcomes, targets, groups) if outcomes.num_rows else None
    labelled = outcomes.column("label").is_valid()
    shown = None if examples is None else examples.filter(labelled)
    kinds = {metric.name: metric.kind for metric in task.metrics}
    judgements = []
    for key, text in accept.items():
        scope, level = parse_accept_key(key), parse_level(text)
        try:
            if kinds.get(scope.metric) == "system":
                bound = _bound_system(scope.metric, blocks or {}, confidence)
            else:
                bound = _bound_rows(scope, rows, shown, confidence)
        except ProvetuneError as error:
            judgements.append(_unknown(key, level, str(error)))
            continue
        judgements.append(_judge(key, level, bound))
    return judgements


def accepted(judgements: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether every level is met; False when one is not, else None when one is undecided."""
    answers = {judgement["met"] for judgement in judgements}
    if False in answers:
        return False
    return None if None in answers else True


def _bound_rows(scope: Scope, rows: Judged | None, examples: pa.Table | None, confidence: float) -> RowsBound:
    if rows is None:
        raise UsageError(f"There are no test rows to judge '{scope.metric}' on.")
    if scope.conditions:
        if examples is None:
            raise UsageError(f"The rows of '{scope}' are not known.")
        rows = keep_rows(rows, slice_mask(examples, scope.conditions))
    bound = _within_a_share(bound_of(scope.metric, rows, confidence, label=scope.value), scope, rows, confidence)
    if scope.conditions:
        bound = replace(bound, notes=(f"over {len(rows)} rows", *bound.notes))
    return bound


def _within_a_share(bound: RowsBound, scope: Scope, rows: Judged, confidence: float) -> RowsBound:
    """A share near its end by beta quantiles too: twenty of twenty right answers do not show 0.95.

    The farther bound of the two counts, as for claims (`provetune.statistics.share_bounds`).
    """
    if not is_share(scope.metric):
        return bound
    units = count_units([make_figures([rows], scope)])
    size = 0.0 if units == 0 else effective_rows(bound.value, bound.standard_error**2, units)
    lower, upper = (reach(bound.value, size, confidence) for reach in (share_lower, share_upper))
    return replace(bound, lower=min(bound.lower, lower), upper=max(bound.upper, upper))


def _bound_system(metric: str, blocks: Mapping[str, Sequence[float]], confidence: float) -> RowsBound:
    if metric not in blocks:
        raise UsageError(f"'{metric}' was not measured.")
    return bound_for_blocks(metric, blocks[metric], confidence)


def _judge(key: str, level: Level, bound: RowsBound) -> dict[str, Any]:
    reaching = bound.lower if level.comparator.startswith(">") else bound.upper
    return {
        "metric": key,
        "required": str(level),
        "value": _finite(bound.value),
        "bound": _finite(reaching),
        "met": judge_level(bound, level.comparator, level.value),
        "notes": list(bound.notes),
        "estimand": ESTIMAND,
    }


def _finite(number: float) -> float | None:
    """A number as JSON can hold it: one row alone has an infinite bound, which says nothing."""
    return number if math.isfinite(number) else None


def _unknown(key: str, level: Level, why: str) -> dict[str, Any]:
    nothing = {"value": None, "bound": None, "met": None}
    return {"metric": key, "required": str(level), **nothing, "notes": [why], "estimand": ESTIMAND}
