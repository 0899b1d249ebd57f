"""Classification's own tables of a report: how wrong the surest answers are, and which labels are given from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import ReportTable, Targets

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.statistics.rows import JudgedRows


def coverage_table(outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
    """The risk–coverage curve of one run, in tenths of the rows; none where there are no rows to speak of."""
    from provetune.evaluation.abstention import curve
    from provetune.evaluation.outcomes import judged_rows
    from provetune.statistics.class_metrics import sureness

    rows = judged_rows(outcomes, targets)
    if len(rows) == 0:
        return []
    confidence, wrong = sureness(rows)
    lines: list[tuple[Any, ...]] = [
        (
            round(point.coverage, 4),
            point.answered,
            int(point.errors),
            round(point.risk, 4),
            round(max(0.0, point.threshold), 4),
        )
        for point in curve(confidence, wrong.astype(np.float64))
    ]
    columns = ("coverage", "rows answered", "wrong", "share wrong", "least confidence")
    title = "How wrong the surest answers are (risk and coverage)"
    return [ReportTable("risk_coverage", title, columns, tuple(lines), _note(rows, targets))]


def _note(rows: JudgedRows, targets: Targets) -> str:
    what = "all of its labels are right" if rows.labels.ndim == 2 else "its label is right"
    outside = ""
    if rows.out_of_scope is not None and rows.labels.ndim == 1:
        outside = f" '{targets.out_of_scope}' is no answer: such a row is wrong whenever it is answered."
    then = "With options.abstain the model leaves the least sure unanswered."
    if rows.answered is not None:
        then = f"This model answers {rows.answered.mean():.1%} of these rows."
    return f"A row counts as wrong unless {what}.{outside} {then}"
