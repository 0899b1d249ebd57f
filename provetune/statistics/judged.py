"""One way to ask judged rows of either form, label counts or measured values, for scores and their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.statistics.contributions import run_contributions
from provetune.statistics.measured_rows import MeasuredRows
from provetune.statistics.rows import (
    JudgedRows,
    RowsBound,
    bound_for,
    few_units,
    row_contributions,
    standard_error,
)

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Judged: TypeAlias = JudgedRows | MeasuredRows


def bound_of(metric: str, rows: Judged, confidence: float, *, label: str | None = None) -> RowsBound:
    """Value and one-sided bounds of a metric over judged rows, by the rows alone.

    Raises:
        UsageError: an unknown metric or label, or no rows.
    """
    if isinstance(rows, JudgedRows):
        return bound_for(metric, rows, confidence, label=label)
    if len(rows) == 0:
        raise UsageError(f"'{metric}' cannot be judged on no rows.", hint="Check the slice and the test file.")
    found = rows.metric(metric, label)
    used = concerned_rows(metric, [rows], label)
    if not used.any():
        raise UsageError(f"No row here is what '{metric}' is about.")
    contributions, groups = found.contributions(), rows.groups
    error, units = standard_error(contributions, groups)
    reach = NormalDist().inv_cdf(confidence) * error
    concerned = int(used.sum())
    notes = few_units(concerned, concerned if groups is None else units)
    value = found.value()
    return RowsBound(metric, value, error, value - reach, value + reach, units, notes)


def contributions_of(metric: str, rows: Judged, label: str | None = None) -> Array:
    """What each row contributes to the score, (M,); their mean is the score.

    Raises:
        UsageError: an unknown metric or label.
    """
    if isinstance(rows, JudgedRows):
        return row_contributions(metric, rows, _number(rows, label))[1]
    return rows.metric(metric, label).contributions()


def contributions_of_runs(metric: str, runs: Sequence[Judged], label: str | None = None) -> tuple[Array, Array]:
    """Contributions of every run and row, (k, M), and the numbers of the M rows that the metric is about.

    Raises:
        UsageError: no runs, runs on different rows, or a metric that these rows cannot have.
    """
    classes = [rows for rows in runs if isinstance(rows, JudgedRows)]
    if len(classes) == len(runs):
        return run_contributions(metric, classes, _number(classes[0], label) if classes else None)
    if len({len(rows) for rows in runs}) != 1:
        raise UsageError("Runs must be judged on the same rows in the same order.")
    return np.stack([contributions_of(metric, rows, label) for rows in runs]), np.arange(len(runs[0]))


def concerned_rows(metric: str, runs: Sequence[MeasuredRows], label: str | None = None) -> Array:
    """Which rows a metric is about in any of the runs, bool (N,)."""
    return np.asarray(np.logical_or.reduce([rows.metric(metric, label).concerned() for rows in runs]))


def _number(rows: JudgedRows, label: str | None) -> int | None:
    if label is None:
        return None
    if label not in rows.names:
        raise UsageError(f"There is no label '{label}'.", hint=advice(label, rows.names))
    return rows.names.index(label)
